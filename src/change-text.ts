/**
 * Text of what differs within a value. Exported files and the page both use it, so this file imports nothing
 * (decision 83).
 */

/** An element of `changes` of an entry (api/entries.ts). */
export interface ChangeWithin {
  readonly member?: string | undefined;
  readonly removed: readonly string[];
  readonly added: readonly string[];
  readonly more?: number | undefined;
  readonly notCompared?: true | undefined;
}

/** Returns the text of a change, without its column: `plan: Free → Pro`, `added live chat`. */
export function changeText({ member, removed, added, more, notCompared }: ChangeWithin): string {
  if (notCompared === true) return 'too long to be compared';
  const named = (text: string): string => (member === undefined ? text : `${member}: ${text}`);
  if (removed.length === 1 && added.length === 1 && more === undefined)
    return named(`${removed[0]!} → ${added[0]!}`);
  const parts = [
    ...(added.length === 0 ? [] : [`added ${added.join(', ')}`]),
    ...(removed.length === 0 ? [] : [`removed ${removed.join(', ')}`]),
    ...(more === undefined ? [] : [`and ${more} more`]),
  ];
  return named(parts.join('; '));
}
