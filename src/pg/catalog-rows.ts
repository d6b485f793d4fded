import type pg from 'pg';
import { copyOut } from './copy-out.js';
import { readDecoder, type Decoder } from './encoding.js';
import { bytesText, readableText } from './text.js';

/*
 * Names in the source's catalog are whatever bytes its users gave them. The server refuses to send to a UTF-8
 * client what it cannot convert (22P05), so that one table with such a name, or one column, would keep every
 * other one from being read. Rows are read as JSON by COPY, which sends the bytes as they are, and names
 * become the text that the stream has for them too.
 */

const NOT_ASCII = /[\x80-\xff]/;
const COPIED_BACKSLASH = /\\\\/g;

/**
 * The rows of a query on the source's catalog as JSON has them: numbers of 8 bytes lose digits, so cast
 * these. Takes no parameters. A name that is no text in the source's encoding reads `\x{c3}`: see isBytesText
 * of text.ts.
 */
export async function catalogRows<Row>(client: pg.Client, sql: string): Promise<Row[]> {
  const decoder = await readDecoder(client);
  const rows: Row[] = [];
  const copy = `copy (select pg_catalog.to_json(found) from (${sql}) as found) to stdout (encoding 'SQL_ASCII')`;
  for await (const lines of copyOut(client, copy)) {
    for (const line of lines) {
      // Bytes as characters: those of JSON itself are ASCII. Of what COPY escapes, JSON leaves the backslash
      // alone.
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
