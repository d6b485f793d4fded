import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { Lookup, TableProposal } from './proposal.js';
import { areComparable, nounOf, pairsOf, singleKey, type TableIndex } from './table-index.js';

type Label = TableProposal['labels'][number];

export interface LabelGround {
  readonly index: TableIndex;
  readonly facts: ReadonlyMap<string, TableFacts>;
  /** How rows are looked up, by table; without those that have no name. */
  readonly lookups: ReadonlyMap<string, Lookup>;
  /** The first table of people; null: there is none. */
  readonly people: string | null;
}

/** Columns that hold keys of other tables, with the words of these. */
export function labelsOf(table: TableFacts, ground: LabelGround): readonly Label[] {
  const pairs = new Set(pairsOf(table).map(({ id }) => id.name));
  return [...table.columns.values()].flatMap((column): Label[] => {
    const reference = table.references.get(column.name);
    if (reference !== undefined) {
      const lookup = ground.lookups.get(reference.table);
      return lookup?.key === reference.column ? [{ column: column.name, lookup, declared: true }] : [];
    }
    if (pairs.has(column.name) || table.table.primaryKey.join() === column.name) return [];
    const target = meantBy(column, table, ground);
    const lookup = target === null ? undefined : ground.lookups.get(target.key);
    return lookup === undefined ? [] : [{ column: column.name, lookup, declared: false }];
  });
}

/** What people do to a row, where a column names who did. */
const DOERS =
  /^(?:assignee|inviter|creator|updater|editor|approver|reviewer|resolver|assigned_to|created_by|updated_by|modified_by|deleted_by|invited_by|approved_by|reviewed_by|closed_by|resolved_by)(?:_user)?(?:_id)?$/;

/** Words before a noun that say that the key is one of another system. */
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

/** The table whose key a column holds by its name; null: none is meant, or several may be. */
function meantBy(column: ColumnFacts, own: TableFacts, ground: LabelGround): TableFacts | null {
  const words = wordsOf(column.name);
  const target = DOERS.test(words.join('_'))
    ? (ground.facts.get(ground.people ?? '') ?? null)
    : words.length > 1 && words.at(-1) === 'id'
      ? calledBy(words.slice(0, -1), own, ground)
      : null;
  const key = target === null ? null : singleKey(target);
  return key !== null && areComparable(key, column) ? target : null;
}

/**
 * `parent` is the table itself; `billing_address` is of `billing_addresses`, or `addresses`; `category` of
 * custom_emojis is of `custom_emoji_categories`, where there are no `categories`.
 */
function calledBy(words: readonly string[], own: TableFacts, { index }: LabelGround): TableFacts | null {
  if (words.join(' ') === 'parent') return own;
  if (ELSEWHERE.has(words[0]!)) return null;
  for (let from = 0; from < words.length; from++) {
    const found = index.called(words.slice(from), own.table.schema);
    if (found !== null) return found;
  }
  const noun = nounOf(own.table.name);
  for (let length = noun.length; length > 0; length--) {
    const found = index.called([...noun.slice(0, length), ...words], own.table.schema);
    if (found !== null) return found;
  }
  return null;
}
