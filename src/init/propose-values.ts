import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import { isInteger, pairsOf } from './table-index.js';

/** Known facts about the values of a table's columns. */
export interface ValueFacts {
  /** Sentences. */
  readonly facts: readonly string[];
  /** Numeric columns that stand for words, with the numbers that are known to be stored. */
  readonly numbers: readonly { readonly column: string; readonly stored: readonly string[] }[];
  /** Columns of numbers that are rather bit masks: each bit stands for something. */
  readonly masks: readonly string[];
}

/** Finds enums, CHECK constraints, polymorphic pairs, and integers that an application uses as an enum. */
export function valuesOf(table: TableFacts): ValueFacts {
  const pairs = pairsOf(table);
  const paired = new Set(pairs.map(({ id }) => id.name));
  const columns = [...table.columns.values()];
  return {
    facts: [
      ...pairs.map(({ type, id }) => `${id.name} is a key of the table that ${type.name} names`),
      ...columns.flatMap(({ name, type, words }) =>
        words === null
          ? []
          : [`${name} is ${words.values.join(', ')} (${words.from === 'enum' ? `enum ${type}` : 'CHECK'})`],
      ),
      ...columns.flatMap(({ name, type, elements }) =>
        elements === null ? [] : [`elements of ${name} are ${elements.join(', ')} (enum ${type})`],
      ),
    ],
    numbers: columns
      .filter((column) => !paired.has(column.name) && standsForWord(column, table))
      .map(({ name, common }) => ({
        column: name,
        stored: [...(common ?? [])].sort((one, other) => Number(one) - Number(other)),
      })),
    masks: columns.filter((column) => isMask(column, table)).map(({ name }) => name),
  };
}

/** Names of integer columns that are more likely an enum of the application than a quantity. */
const WORD_LIKE =
  /(?:^|_)(?:status|state|role|kind|type|level|priority|visibility|severity|category|mode|stage|phase|availability|gender|access|reason|outcome|direction|scope|tier|locale)$/;

/** Names of integers that are rather bit masks than quantities. */
const MASK_LIKE = /(?:^|_)(?:flags|bits|bitmask|bitfield|mask|permissions)$/;

const isMask = (column: ColumnFacts, { references }: TableFacts): boolean =>
  column.words === null &&
  isInteger(column) &&
  MASK_LIKE.test(wordsOf(column.name).join('_')) &&
  !references.has(column.name);

const standsForWord = (column: ColumnFacts, { table, references }: TableFacts): boolean =>
  column.words === null &&
  isInteger(column) &&
  WORD_LIKE.test(wordsOf(column.name).join('_')) &&
  !references.has(column.name) &&
  !table.primaryKey.includes(column.name);
