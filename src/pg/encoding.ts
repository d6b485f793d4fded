import type pg from 'pg';
import { INSUFFICIENT_PRIVILEGE } from './sql-state.js';

/**
 * Converts bytes of the source's encoding to UTF-8. Null if the source uses UTF-8 or declares no encoding
 * (SQL_ASCII). Bytes are then used unchanged.
 */
export type Decoder = TableDecoder | null;

/**
 * EUC encodings with at most three bytes per character. EUC_TW is not among them: it has characters of four
 * bytes, 140,000 in all.
 */
const EUC = new Set(['EUC_JP', 'EUC_JIS_2004', 'EUC_KR', 'EUC_CN']);
const SINGLE_SHIFT_2 = 0x8e;
const SINGLE_SHIFT_3 = 0x8f;

/**
 * Returns the decoder for the source's encoding. For single-byte encodings and EUC, it uses a table with
 * PostgreSQL's own conversion of each character. The table is read once (measured: 128 characters in 5 ms,
 * 18,000 characters of EUC_JP in about 0.2 s). For other encodings (EUC_TW), or without the right to use
 * PL/pgSQL, the decoder knows only ASCII.
 *
 * The server could convert. But it would end the stream at the first byte that its encoding does not define
 * (22P05), and again after each restart. Therefore the stream delivers the bytes unchanged, and invalid text
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
 * Caches decoders by connection, and tables by encoding. The table of an encoding is the same on every
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
   * @param options.table the UTF-8 of each character. The key is the bytes of the character, read as a
   *   number. ASCII is not in it.
   * @param options.lengthOf returns the length of a character in bytes from its first byte, which is not
   *   ASCII
   */
  constructor(options: {
    readonly table: ReadonlyMap<number, Buffer>;
    readonly lengthOf: (first: number) => number;
  }) {
    this.#table = options.table;
    this.#lengthOf = options.lengthOf;
  }

  /** Converts bytes to UTF-8. Returns null if some of them are no character of the encoding. */
  decode(bytes: Buffer, start: number, end: number): Buffer | null {
    return this.#convert({ bytes, start, end, otherwise: null });
  }

  /** Converts bytes to UTF-8, with U+FFFD for each byte that belongs to no character. */
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
 * Half-width kana follow single shift 2, and characters of a second plane follow single shift 3. Korean and
 * Chinese use neither.
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
 * Reads each code with its UTF-8. A plain statement cannot skip characters that it cannot convert. A DO block
 * can, but returns nothing, so it passes the result through a setting.
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
