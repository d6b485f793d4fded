import type pg from 'pg';
import { copyOut } from './copy-out.js';
import { readDecoder, type Decoder } from './encoding.js';
import { bytesText, readableText } from './text.js';

/*
 * Names in the source's catalog may consist of any bytes. The server refuses to send a UTF-8 client what it
 * cannot convert (22P05). One table or column with such a name would make the whole catalog unreadable.
 * Therefore rows are read as JSON by COPY, which sends the bytes unchanged. Names become the same text as in
 * the stream.
 */

const NOT_ASCII = /[\x80-\xff]/;
const COPIED_BACKSLASH = /\\\\/g;

/**
 * Returns the rows of a query on the source's catalog, read as JSON. Cast 8-byte integers to text, because
 * JSON numbers lose digits. The query takes no parameters. A name whose bytes are invalid in the source's
 * encoding reads `\x{c3}` (see isBytesText in text.ts).
 */
export async function catalogRows<Row>(client: pg.Client, sql: string): Promise<Row[]> {
  const decoder = await readDecoder(client);
  const rows: Row[] = [];
  const copy = `copy (select pg_catalog.to_json(found) from (${sql}) as found) to stdout (encoding 'SQL_ASCII')`;
  for await (const lines of copyOut(client, copy)) {
    for (const line of lines) {
      // Each byte becomes one character; the syntax of JSON is ASCII. COPY doubles the backslash, the only
      // character it escapes that occurs in JSON output.
      const text = line.toString('latin1').replace(COPIED_BACKSLASH, '\\');
      const row = JSON.parse(text) as Row;
      rows.push(NOT_ASCII.test(text) ? (decoded(row, decoder) as Row) : row);
    }
  }
  return rows;
}

function decoded(value: unknown, decoder: Decoder): unknown {
  if (typeof value === 'string') return NOT_ASCII.test(value) ? decodedText(value, decoder) : value;
  if (Array.isArray(value)) return value.map((item) => decoded(item, decoder));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decoded(item, decoder)]));
}

function decodedText(text: string, decoder: Decoder): string {
  const bytes = Buffer.from(text, 'latin1');
  if (decoder === null) return readableText(bytes, 0, bytes.length);
  return decoder.decode(bytes, 0, bytes.length)?.toString() ?? bytesText(bytes.toString('hex'));
}
