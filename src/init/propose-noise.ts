import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import { isInteger, isTime, nounOf, type TableIndex } from './table-index.js';

/** Returns columns that are of no interest alone: an update of nothing else makes no entry. */
export function noiseOf(facts: TableFacts, index: TableIndex): readonly string[] {
  return [...facts.columns.values()]
    .filter(
      (column) =>
        !facts.table.primaryKey.includes(column.name) &&
        (isTouched(column) || isDerived(column) || isCounter(column, facts, index)),
    )
    .map(({ name }) => name);
}

const spelled = ({ name }: ColumnFacts): string => wordsOf(name).join('_');

/** Times that the application sets with every change, or with every visit. */
const TOUCHED =
  /^(?:(?:date_)?(?:updated|modified|changed|touched)(?:_at|_on|_date|_time)?|last_(?:update|updated|modified|changed)(?:_at|_on|_date|_time)?|update_time|write_date|mtime)$|^(?:\w+_)?last_\w+_at$|_seen_at$|_last_used_at$|^(?:last_activity|last_seen|last_used|last_access|last_accessed)$/;

const isTouched = (column: ColumnFacts): boolean => isTime(column) && TOUCHED.test(spelled(column));

/** Whether a column holds a row version, or a value computed from other columns. */
const isDerived = (column: ColumnFacts): boolean =>
  (isInteger(column) && /^(?:lock_version|row_version|optimistic_lock)$/.test(spelled(column))) ||
  column.type === 'tsvector' ||
  /^cached_/.test(spelled(column));

/** Names of columns that count how often something was seen. */
const COUNTED =
  /^(?:views?|hits?|clicks?|visits?|likes?|downloads?|reads?|opens?|impressions?|uses|usages?|plays?)$/;

/** A column with at least this many different sampled values is a counter, not a setting. */
const MANY_VALUES = 20;

function isCounter(column: ColumnFacts, { table }: TableFacts, index: TableIndex): boolean {
  const words = wordsOf(column.name);
  if (!isInteger(column) || words.length < 2 || words.at(-1) !== 'count') return false;
  const counted = words.slice(0, -1);
  // A counter of rows of another table (taggings_count). Those rows have entries themselves.
  if (index.called(nounOf(counted.join('_')), table.schema) !== null) return true;
  if (COUNTED.test(counted.at(-1)!)) return true;
  return column.distinct !== null && (column.distinct < 0 || column.distinct > MANY_VALUES);
}
