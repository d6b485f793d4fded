import type { Answer } from '../../api/answers.js';
import { arrayElements } from '../../pg/array-text.js';
import { printJson, readJson, type JsonNode } from '../../pg/json-tree.js';
import type { Entry, Value } from './entry.js';
import { memberText, PartedValue, partText, type ValuePart } from './value-parts.js';

/** A difference within a value of an update: members of JSON, elements of an array, or bits. */
export type ValueChange = NonNullable<Answer<'Entry'>['changes']>[number];

/** Longer values are not compared, because a page has a hundred entries. */
export const MAX_COMPARED_CHARACTERS = 65_536;
/** Depth limit of JSON in an answer (json-text.ts). Deeper values are not compared. */
const MAX_DEPTH = 60;
/** Largest number of listed differences of a column, and of texts on each side of a difference. */
const MOST_CHANGES = 50;
const MOST_TEXTS = 20;
const MAX_TEXT = 200;

/** Returns the differences within the values of an entry, in the order of its columns. */
export function changesOf({
  previous,
  updated,
}: Pick<Entry, 'previous' | 'updated'>): readonly ValueChange[] {
  if (previous === null || updated === null) return NO_CHANGES;
  let changes: ValueChange[] | undefined;
  for (const [column, after] of updated) {
    const before = hasParts(after) ? previous.get(column) : undefined;
    if (before === undefined) continue;
    const found = changesOfValue(column, before, after);
    if (found.length > 0) (changes ??= []).push(...found);
  }
  return changes ?? NO_CHANGES;
}

export const NO_CHANGES: readonly ValueChange[] = [];

/** Returns the differences within the values of a column. */
export function changesOfValue(column: string, before: Value, after: Value): readonly ValueChange[] {
  if (!hasParts(before) || !hasParts(after) || before.text === after.text) return NO_CHANGES;
  if (Math.max(before.text.length, after.text.length) > MAX_COMPARED_CHARACTERS)
    return [{ column, removed: [], added: [], notCompared: true }];
  if (hasMembers(before) && hasMembers(after)) return ofJson(column, before, after);
  const [had, has] = [before, after].map(itemsOf);
  return had == null || has == null ? NO_CHANGES : ofItems(had, has).map((change) => ({ column, ...change }));
}

const hasParts = (value: Value): boolean =>
  hasMembers(value) || value.isList === true || value instanceof PartedValue;

const hasMembers = (value: Value): boolean =>
  value.kind === 'json' || (value instanceof PartedValue && value.column.members !== undefined);

/** A bit or an element. `key` distinguishes it from others, and `shown` is the text that is shown. */
interface Item {
  readonly key: string;
  readonly shown: string;
}

/**
 * Returns the bits or elements of a value. Returns null if it cannot be read as an array, for example because
 * it was masked.
 */
function itemsOf(value: Value): readonly Item[] | null {
  if (value instanceof PartedValue)
    return value.parts.map((part) => ({ key: JSON.stringify(part.text), shown: partText(part) }));
  const elements = value.isList === true ? arrayElements(value.text) : null;
  return elements?.map((text) => ({ key: JSON.stringify(text), shown: text ?? 'null' })) ?? null;
}

/**
 * Returns the items that are in only one of the lists. Repeated items are counted. Returns nothing if only
 * the order differs.
 */
function ofItems(had: readonly Item[], has: readonly Item[]): Omit<ValueChange, 'column'>[] {
  const [removed, added] = [without(had, has), without(has, had)];
  if (removed.length + added.length === 0) return [];
  const more = Math.max(0, removed.length - MOST_TEXTS) + Math.max(0, added.length - MOST_TEXTS);
  const texts = (items: readonly Item[]): string[] =>
    items.slice(0, MOST_TEXTS).map(({ shown }) => cut(shown));
  return [{ removed: texts(removed), added: texts(added), ...(more === 0 ? {} : { more }) }];
}

function without(items: readonly Item[], others: readonly Item[]): Item[] {
  const counts = new Map<string, number>();
  for (const { key } of others) counts.set(key, (counts.get(key) ?? 0) + 1);
  return items.filter(({ key }) => {
    const count = counts.get(key) ?? 0;
    if (count > 0) counts.set(key, count - 1);
    return count === 0;
  });
}

/** Cuts a long text, but never inside a surrogate pair. */
const cut = (text: string): string =>
  text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT).replace(/[\uD800-\uDBFF]$/, '')}…` : text;

function ofJson(column: string, before: Value, after: Value): ValueChange[] {
  const [had, has] = [before, after].map(({ text }) => readJson(text, MAX_DEPTH));
  if (had == null || has == null) return [];
  const words = new Map([...wordsOf(before), ...wordsOf(after)]);
  const found: ValueChange[] = [];
  let more = 0;
  const compared: Compared = {
    found: (path, change) => {
      if (found.length === MOST_CHANGES) more++;
      else found.push({ column, ...(path.length === 0 ? {} : { member: stepsText(path) }), ...change });
    },
    item: (path, node) => {
      const text = printJson(node);
      return { key: text, shown: words.get(wordKey(namesOf(path), text)) ?? text };
    },
  };
  compare([], [had, has], compared);
  return more === 0 ? found : [...found, { column, removed: [], added: [], more }];
}

/** Names of members, and indexes in lists. */
type Path = readonly (string | number)[];

interface Compared {
  readonly found: (path: Path, change: Omit<ValueChange, 'column' | 'member'>) => void;
  readonly item: (path: Path, node: JsonNode) => Item;
}

function compare(
  path: Path,
  [had, has]: readonly [JsonNode | undefined, JsonNode | undefined],
  compared: Compared,
): void {
  if (had?.is === 'object' && has?.is === 'object') {
    for (const name of new Set([...had.members.keys(), ...has.members.keys()]))
      compare([...path, name], [had.members.get(name), has.members.get(name)], compared);
    return;
  }
  if (had?.is === 'list' && has?.is === 'list' && !isFlat(had) && !isFlat(has)) {
    for (let at = 0; at < Math.max(had.items.length, has.items.length); at++)
      compare([...path, at], [had.items[at], has.items[at]], compared);
    return;
  }
  const [before, after] = [had, has].map((node) =>
    node === undefined ? [] : [compared.item(path, node)],
  ) as [Item[], Item[]];
  if (before[0]?.key === after[0]?.key) return;
  if (had?.is === 'list' && has?.is === 'list') {
    const [removed, added] = [had, has].map(({ items }) => items.map((node) => compared.item(path, node)));
    const [change] = ofItems(removed!, added!);
    // If only the order differs, both lists are shown completely.
    if (change !== undefined) {
      compared.found(path, change);
      return;
    }
  }
  const texts = (items: readonly Item[]): string[] => items.map(({ shown }) => cut(shown));
  compared.found(path, { removed: texts(before), added: texts(after) });
}

/**
 * Returns whether a list has neither objects nor lists as items. Its items are then compared regardless of
 * their indexes.
 */
const isFlat = ({ items }: Extract<JsonNode, { is: 'list' }>): boolean =>
  items.every(({ is }) => is === 'scalar');

const namesOf = (path: Path): readonly string[] => path.filter((step) => typeof step === 'string');

const stepsText = (path: Path): string => {
  let text = '';
  for (const step of path)
    text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${memberText([step])}`;
  return text;
};

/** Returns the words of members, by path and stored text. */
const wordsOf = (value: Value): readonly (readonly [string, string])[] =>
  value instanceof PartedValue
    ? value.parts.flatMap(({ path, text, word }: ValuePart) =>
        word === null ? [] : [[wordKey(path, text!), word] as const],
      )
    : [];

const wordKey = (path: readonly string[], text: string): string => JSON.stringify([path, text]);
