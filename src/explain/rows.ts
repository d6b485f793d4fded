import type { Relation } from '../pgoutput/reader.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, Tuple } from '../pgoutput/tuple.js';

/**
 * Values of a row by column, as PostgreSQL prints them; null for SQL null. A column that is missing is not
 * known.
 */
export type RowTexts = ReadonlyMap<string, string | null>;

/**
 * Builds rows as the stream brings them: places in one buffer, because the rows of an update are compared
 * byte by byte. A value that is not known is treated like one that was not sent.
 */
export function tuplesOf(relation: Relation, rows: readonly RowTexts[]): Tuple[] {
  const parts: Buffer[] = [];
  let at = 0;
  const tuples = rows.map((row) => {
    const tuple = new Tuple();
    tuple.count = relation.columns.length;
    relation.columns.forEach(({ name }, column) => {
      const text = row.get(name);
      tuple.offsets[column] = at;
      if (typeof text !== 'string') {
        tuple.lengths[column] = text === null ? LENGTH_NULL : LENGTH_UNCHANGED;
        return;
      }
      const bytes = Buffer.from(text);
      tuple.lengths[column] = bytes.length;
      parts.push(bytes);
      at += bytes.length;
    });
    return tuple;
  });
  const bytes = Buffer.concat(parts);
  for (const tuple of tuples) tuple.bytes = bytes;
  return tuples;
}
