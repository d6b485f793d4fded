import type pg from 'pg';
import { INSUFFICIENT_PRIVILEGE } from './sql-state.js';

/**
 * Bytes of the source's encoding to UTF-8. Null where the source speaks UTF-8, or says nothing of its
 * encoding (SQL_ASCII): then bytes are looked at as they are.
 */
export type Decoder = TableDecoder | null;

/**
 * EUC encodings of which each character has up to three bytes; those of EUC_TW have four, and are 140,000.
 */
const EUC = new Set(['EUC_JP', 'EUC_JIS_2004', 'EUC_KR', 'EUC_CN']);
const SINGLE_SHIFT_2 = 0x8e;
const SINGLE_SHIFT_3 = 0x8f;

/**
 * The decoder for the source's encoding: for encodings of one byte and for EUC by a table of what PostgreSQL
 * itself makes of each character, read once (128 characters in 5 ms, 18,000 of EUC_JP in about 0.2 s); for
 * others (EUC_TW), and where PL/pgSQL may not be used, of ASCII alone.
 *
 * The server could convert by itself, but ends the stream at the first byte that its encoding does not define
 * (22P05), again after each restart. So the stream is asked for the bytes as they are, and what is no text
 * stays bytes (DECISIONS 38).
 */
export function readDecoder(client: pg.Client): Promise<Decoder> {
  let decoder = decoders.get(client);
  if (decoder === undefined) {
    decoder = askDecoder(client);
    decoders.set(client, decoder);
  }
  return decoder;
}

/**
 * Of connections, and of encodings what they were found to hold: it is the same on every connection of every
 * server.
 */
const decoders = new WeakMap<pg.Client, Promise<Decoder>>();
const tables = new Map<string, ReadonlyMap<number, Buffer>>();

async function askDecoder(client: pg.Client): Promise<Decoder> {
  const { rows } = await client.query<{
    name: string;
    most: number;
  }>(/* sql */ `select pg_catalog.pg_encoding_to_char(encoding) as name, pg_catalog.pg_encoding_max_length(encoding) as most
                 from pg_catalog.pg_database where datname operator(pg_catalog.=) pg_catalog.current_database()`);
  const { name, most } = rows[0]!;
  if (name === 'UTF8' || name === 'SQL_ASCII') return null;
  const lengthOf = most === 1 ? one : EUC.has(name) ? eucLength : undefined;
  if (lengthOf === undefined) return new TableDecoder({ table: new Map(), lengthOf: one });
  const table = tables.get(name) ?? (await readTable(client, most === 1 ? BYTES : EUC_CODES));
  if (table.size > 0) tables.set(name, table);
  return new TableDecoder({ table, lengthOf });
}

/** Converts characters by a table. */
export class TableDecoder {
  readonly #table: ReadonlyMap<number, Buffer>;
  readonly #lengthOf: (first: number) => number;

  /**
   * @param options.table UTF-8 by the bytes of a character, read as a number; without ASCII
   * @param options.lengthOf of a character, by its first byte, which is not ASCII
   */
  constructor(options: {
    readonly table: ReadonlyMap<number, Buffer>;
    readonly lengthOf: (first: number) => number;
  }) {
    this.#table = options.table;
    this.#lengthOf = options.lengthOf;
  }

  /** The bytes as UTF-8; null where some are no character of the encoding. */
  decode(bytes: Buffer, start: number, end: number): Buffer | null {
    return this.#convert({ bytes, start, end, otherwise: null });
  }

  /** The same with U+FFFD for each byte that is none. */
  decodeAnyhow(bytes: Buffer, start: number, end: number): Buffer {
    return this.#convert({ bytes, start, end, otherwise: REPLACEMENT })!;
  }

  #convert(from: {
    readonly bytes: Buffer;
    readonly start: number;
    readonly end: number;
    readonly otherwise: Buffer | null;
  }): Buffer | null {
    const { bytes, start, end, otherwise } = from;
    const pieces: Buffer[] = [];
    let asciiAt = start;
    for (let at = start; at < end;) {
      const first = bytes[at]!;
      if (first < 0x80 && first !== 0) {
        at++;
        continue;
      }
      const length = first === 0 ? 1 : this.#lengthOf(first);
      const character = at + length > end ? undefined : this.#table.get(bytes.readUIntBE(at, length));
      const piece = character ?? otherwise;
      if (piece === null) return null;
      if (asciiAt < at) pieces.push(bytes.subarray(asciiAt, at));
      pieces.push(piece);
      at += character === undefined ? 1 : length;
      asciiAt = at;
    }
    if (pieces.length === 0) return bytes.subarray(start, end);
    pieces.push(bytes.subarray(asciiAt, end));
    return Buffer.concat(pieces);
  }
}

const REPLACEMENT = Buffer.from('\ufffd');

const one = (): number => 1;

/**
 * Half-width kana follow the first shift, characters of a second plane the other; Korean and Chinese use
 * neither.
 */
const eucLength = (first: number): number =>
  first === SINGLE_SHIFT_2 || first >= 0xa1 ? 2 : first === SINGLE_SHIFT_3 ? 3 : 1;

/** Every character that an encoding may have, as hexadecimal digits in a column `code`. */
const BYTES = /* sql */ `select pg_catalog.to_hex(a) as code from pg_catalog.generate_series(128, 255) as a`;
const EUC_CODES = /* sql */ `
  select pg_catalog.concat(shift, pg_catalog.to_hex(a), pg_catalog.to_hex(b)) as code
    from pg_catalog.generate_series(161, 254) as a, pg_catalog.generate_series(161, 254) as b, pg_catalog.unnest(array['', '8f']) as shift
  union all
  select pg_catalog.concat('8e', pg_catalog.to_hex(a)) from pg_catalog.generate_series(161, 254) as a`;

const RESULT = 'waltrail.encoding';

/**
 * Each code with its UTF-8, through a setting: a statement cannot pass over what it cannot convert, and a
 * block returns nothing.
 */
async function readTable(client: pg.Client, codes: string): Promise<ReadonlyMap<number, Buffer>> {
  const table = new Map<number, Buffer>();
  try {
    await client.query(/* sql */ `
      do language plpgsql $$
      declare
        v_code text;
        v_found text[] := '{}';
        v_encoding name := pg_catalog.getdatabaseencoding();
      begin
        for v_code in ${codes} loop
          begin
            v_found := pg_catalog.array_append(v_found, pg_catalog.concat(v_code, ' ', pg_catalog.encode(
              pg_catalog.convert(pg_catalog.decode(v_code, 'hex'), v_encoding, 'UTF8'), 'hex')));
          exception
            when untranslatable_character or character_not_in_repertoire then null;
          end;
        end loop;
        perform pg_catalog.set_config('${RESULT}', pg_catalog.array_to_string(v_found, ','), false);
      end $$`);
  } catch (error) {
    if ((error as { code?: string }).code === INSUFFICIENT_PRIVILEGE) return table;
    throw error;
  }
  const { rows } = await client.query<{ found: string }>(
    /* sql */ `select pg_catalog.current_setting('${RESULT}') as found`,
  );
  for (const pair of rows[0]!.found.split(',')) {
    const [code, utf8] = pair.split(' ');
    if (utf8 !== undefined) table.set(Number.parseInt(code!, 16), Buffer.from(utf8, 'hex'));
  }
  return table;
}
