import type { Entry, Values } from '../api-types.ts';
import { humanize } from '../texts/vocabulary.ts';
import { dateText, timeText } from '../time/format.ts';

/** The entity type of entries about the trail itself: gaps, changes of tracking and of columns. */
export const OWN_TYPE = 'waltrail';

const OWN_ACTION_TEXTS: Readonly<Record<string, string>> = { tracking: 'Tracking changed' };
/**
 * Texts for the columns of Waltrail's own entries (`waltrail.gap`, `waltrail.tracking`), and for their nulls.
 */
const OWN_COLUMN_TEXTS: Readonly<Record<string, readonly [name: string, ofNull: string]>> = {
  code: ['code', '—'],
  tables: ['tables', 'all tracked tables'],
  from_lsn: ['missing from (LSN)', '—'],
  to_lsn: ['missing to (LSN)', 'not known yet'],
  last_entry_at: ['last entry before', 'none'],
  change: ['state', '—'],
};

/**
 * Whether Waltrail itself wrote the entry. A tracked table can have the same entity type, but never the
 * schema `waltrail`.
 */
export const isOwn = (entry: Entry): boolean =>
  entry.entity.type === OWN_TYPE && entry.table.startsWith('waltrail.');

/** Returns the text for the action of an entry, whether it is Waltrail's own or not. */
export const actionText = (entry: Entry): string =>
  entry.actionName ?? (isOwn(entry) ? OWN_ACTION_TEXTS[entry.action] : undefined) ?? humanize(entry.action);

/**
 * Returns the title of an entry, such as `Block: agent Omer Katz` or `Changes may be missing: …`.
 */
export function titleOf(entry: Entry): string {
  const name = entry.entity.name ?? entry.entity.id;
  if (isOwn(entry)) {
    if (name === null) return actionText(entry);
    return entry.table === 'waltrail.gap' ? name : `${actionText(entry)}: ${name}`;
  }
  const type = humanize(entry.entity.type).toLowerCase();
  return `${actionText(entry)}: ${type}${name === null ? '' : ` ${name}`}`;
}

/**
 * Returns one of Waltrail's own entries with texts for its columns, nulls and times. Returns any other entry
 * unchanged.
 */
export function readableEntry(entry: Entry, zone: string): Entry {
  if (!isOwn(entry)) return entry;
  const side = (values: Values | null): Values | null =>
    values === null
      ? null
      : Object.fromEntries(
          Object.entries(values).map(([column, value]) => {
            const [name, ofNull] = OWN_COLUMN_TEXTS[column] ?? [column, '—'];
            if (value === null) return [name, ofNull];
            return [
              name,
              column === 'last_entry_at' && typeof value === 'string' ? storedTimeText(value, zone) : value,
            ];
          }),
        );
  return { ...entry, previous: side(entry.previous), updated: side(entry.updated) };
}

/** Returns the text of a stored `2026-11-23 20:29:02.027018+00` in a zone, to the second. */
function storedTimeText(stored: string, zone: string): string {
  const timestamp = stored.replace(' ', 'T').replace(/\+00$/, 'Z');
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone)} ${zone}`;
}
