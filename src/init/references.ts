import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, Reference, TableFacts } from './facts.js';
import { areComparable, nounOf, pairsOf, singleKey, type TableIndex } from './table-index.js';
import { usualPeople } from './usual-people.js';
import { saysWhoCreated, saysWhoUpdated } from './who-columns.js';

export interface ReferenceGround {
  readonly index: TableIndex;
  readonly facts: ReadonlyMap<string, TableFacts>;
  /** The tables of people, the most likely first. */
  readonly people: readonly string[];
}

export interface FoundReference extends Reference {
  /** Whether a foreign key declares it. If not, the name of the column suggests it. */
  readonly declared: boolean;
}

/** Returns the row of another table that a column refers to; null if none is known. */
export function referenceOf(
  column: ColumnFacts,
  table: TableFacts,
  ground: ReferenceGround,
): FoundReference | null {
  const declared = table.references.get(column.name);
  if (declared !== undefined) return { ...declared, declared: true };
  const isPair = pairsOf(table).some(({ id }) => id.name === column.name);
  if (isPair || table.table.primaryKey.join() === column.name) return null;
  const target = meantBy(column, table, ground);
  return target === null ? null : { table: target.key, column: singleKey(target)!.name, declared: false };
}

/** Whether a column names who did something to the row. */
export const isDoer = ({ name }: ColumnFacts): boolean =>
  DOERS.test(wordsOf(name).join('_')) || saysWhoCreated(name) || saysWhoUpdated(name);

/** Verbs in names of columns that say who did something to the row. */
const DOERS =
  /^(?:assignee|inviter|creator|updater|editor|approver|reviewer|resolver|assigned_to|created_by|updated_by|modified_by|deleted_by|invited_by|approved_by|reviewed_by|closed_by|resolved_by)(?:_user)?(?:_id)?$/;

/** Words before a noun that mark the key as one of another system. */
const ELSEWHERE = new Set([
  'external',
  'remote',
  'foreign',
  'provider',
  'source',
  'stripe',
  'legacy',
  'upstream',
]);

/** Returns the table that a column means by its name; null if there is none, or if several fit. */
function meantBy(column: ColumnFacts, own: TableFacts, ground: ReferenceGround): TableFacts | null {
  const words = wordsOf(column.name);
  const target = isDoer(column)
    ? doerOf(own, ground)
    : words.length > 1 && words.at(-1) === 'id'
      ? calledBy(words.slice(0, -1), own, ground)
      : null;
  const key = target === null ? null : singleKey(target);
  return key !== null && areComparable(key, column) ? target : null;
}

/** Returns the table of the people who do something to the rows of a table. */
const doerOf = ({ table }: TableFacts, { people, facts }: ReferenceGround): TableFacts | null =>
  facts.get(
    usualPeople(
      table.schema,
      people.map((key) => facts.get(key)!),
    ) ?? '',
  ) ?? null;

/**
 * Finds a table by words. `parent` is the table itself, but `client` in `clients` is not: such a column has
 * the key of the row in another system. `billing_address` means `billing_addresses`, or else
 * `addresses`. `category` in custom_emojis means `custom_emoji_categories` if there is no table `categories`.
 */
function calledBy(words: readonly string[], own: TableFacts, { index }: ReferenceGround): TableFacts | null {
  if (words.join(' ') === 'parent') return own;
  if (ELSEWHERE.has(words[0]!)) return null;
  for (let from = 0; from < words.length; from++) {
    const found = index.called(words.slice(from), own.table.schema);
    if (found !== null) return found === own && from === 0 ? null : found;
  }
  const noun = nounOf(own.table.name);
  for (let length = noun.length; length > 0; length--) {
    const found = index.called([...noun.slice(0, length), ...words], own.table.schema);
    if (found !== null) return found;
  }
  return null;
}
