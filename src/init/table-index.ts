import { wordsOf } from '../tracking/entity-default.js';
import { singular } from '../tracking/singular.js';
import type { ColumnFacts, TableFacts } from './facts.js';

/** Returns the words of a table's name, the last one in the singular: `agent`, `bot` for `agent_bots`. */
export function nounOf(name: string): readonly string[] {
  const words = wordsOf(name);
  return words.map((word, index) => (index === words.length - 1 ? singular(word) : word));
}

/** Finds tables by the noun that a column uses for their rows. */
export class TableIndex {
  readonly #byNoun = new Map<string, TableFacts[]>();

  constructor(tables: readonly TableFacts[]) {
    for (const facts of tables) {
      const noun = nounOf(facts.table.name).join(' ');
      const same = this.#byNoun.get(noun);
      if (same === undefined) this.#byNoun.set(noun, [facts]);
      else same.push(facts);
    }
  }

  /**
   * Returns the one table with this noun, preferably of this schema; null if there is none, or if several
   * fit.
   */
  called(noun: readonly string[], schema: string): TableFacts | null {
    const found = this.#byNoun.get(noun.join(' ')) ?? [];
    const near = found.filter(({ table }) => table.schema === schema);
    const [first, ...others] = near.length > 0 ? near : found;
    return first === undefined || others.length > 0 ? null : first;
  }
}

/** Returns the only column of the primary key; null if there is no key, or if it has several columns. */
export function singleKey({ table, columns }: TableFacts): ColumnFacts | null {
  const [key, ...others] = table.primaryKey;
  return key === undefined || others.length > 0 ? null : (columns.get(key) ?? null);
}

/** Whether values of two columns may be the same keys. */
export function areComparable(one: ColumnFacts, other: ColumnFacts): boolean {
  return familyOf(one) === familyOf(other);
}

const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23]);
const TEXTS: ReadonlySet<number> = new Set([25, 1042, 1043]);

const familyOf = ({ typeOid }: ColumnFacts): string =>
  INTEGERS.has(typeOid) ? 'integer' : TEXTS.has(typeOid) ? 'text' : String(typeOid);

export const isInteger = ({ typeOid }: ColumnFacts): boolean => INTEGERS.has(typeOid);
export const isText = ({ kind }: ColumnFacts): boolean => kind.of === 'text' && !kind.array;
export const isBoolean = ({ typeOid }: ColumnFacts): boolean => typeOid === 16;
/** Whether a column is a date, timestamp or timestamptz. */
export const isTime = ({ typeOid }: ColumnFacts): boolean => [1082, 1114, 1184].includes(typeOid);

/** A key of several tables: `sender_id` together with `sender_type`. */
export interface Pair {
  readonly type: ColumnFacts;
  readonly id: ColumnFacts;
  /** The words before `id`. */
  readonly words: readonly string[];
}

/** Polymorphic pairs of a table, in the order of their ids. */
export function pairsOf({ columns, references }: TableFacts): readonly Pair[] {
  const byWords = new Map([...columns.values()].map((column) => [wordsOf(column.name).join(' '), column]));
  return [...columns.values()].flatMap((id) => {
    const words = wordsOf(id.name);
    if (words.length < 2 || words.at(-1) !== 'id' || references.has(id.name)) return [];
    const type = byWords.get([...words.slice(0, -1), 'type'].join(' '));
    if (type === undefined || !isText(type) || type.words !== null) return [];
    return [{ type, id, words: words.slice(0, -1) }];
  });
}
