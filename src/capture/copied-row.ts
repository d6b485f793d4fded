import { LENGTH_NULL, Tuple } from '../pgoutput/tuple.js';

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const NULL_MARK = 0x4e;

/**
 * Characters after a backslash in COPY's text format, with the byte that each means. Any other means itself.
 */
const ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ b: 0x08, f: 0x0c, n: NEWLINE, r: 0x0d, t: TAB, v: 0x0b }).map(([letter, byte]) => [
    letter.charCodeAt(0),
    byte,
  ]),
);

/**
 * Decodes a line of COPY's text format into the row that the stream would have sent. It has the bytes of each
 * value as its type prints them, in the order of the columns. Not for the hot path.
 *
 * @param row filled and returned; default: a new one
 * @see https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS (Text Format)
 */
export function copiedRow(line: Buffer, row = new Tuple()): Tuple {
  row.count = 0;
  row.hasOpaque = false;
  // A value is never longer than its escaped form.
  row.bytes = Buffer.alloc(line.length);
  let written = 0;
  let at = 0;
  do {
    const column = row.count++;
    row.offsets[column] = written;
    if (line[at] === BACKSLASH && line[at + 1] === NULL_MARK) {
      row.lengths[column] = LENGTH_NULL;
      at += 2;
      continue;
    }
    while (at < line.length && line[at] !== TAB && line[at] !== NEWLINE) {
      const byte = line[at] === BACKSLASH ? (ESCAPES.get(line[++at]!) ?? line[at]!) : line[at]!;
      row.bytes[written++] = byte;
      at++;
    }
    row.lengths[column] = written - row.offsets[column];
  } while (line[at++] === TAB);
  return row;
}
