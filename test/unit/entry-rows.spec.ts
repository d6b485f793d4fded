import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { EntryRowBuffer } from '../../src/trail/write/rows.js';
import {
  MARK_NULL,
  MARK_UNKNOWN,
  MAX_VALUE_BYTES,
  RUNG_COLUMN,
  RUNG_MESSAGE,
  SAME_TENANT,
  type SentRow,
} from '../../src/pipeline/ports.js';
import { decodeFields } from '../../src/trail/values.js';

const HEAD = {
  seq: 3,
  modifierId: 4,
  relationId: 5,
  tenantId: 6,
  entityTypeId: 7,
  actionId: 8,
  operation: 0x75,
  rung: 0x63,
  moved: false,
};
const TRANSACTION = Buffer.from('00000000016b374800000000000f424000000309', 'hex');

/** Fields of the rows in a CopyData frame, as PostgreSQL reads them. */
function parse(frame: Buffer): (Buffer | null)[][] {
  expect(frame[0]).toBe(0x64);
  expect(frame.readInt32BE(1)).toBe(frame.length - 1);
  const rows: (Buffer | null)[][] = [];
  for (let at = 5; at < frame.length;) {
    const count = frame.readInt16BE(at);
    at += 2;
    const row: (Buffer | null)[] = [];
    for (let field = 0; field < count; field++) {
      const length = frame.readInt32BE(at);
      at += 4;
      row.push(length < 0 ? null : Buffer.from(frame.subarray(at, at + length)));
      at += Math.max(0, length);
    }
    rows.push(row);
  }
  return rows;
}

/** The text of bytes as PostgreSQL accepts it; null if it does not. */
function textOrNull(bytes: Uint8Array): string | null {
  try {
    return bytes.includes(0)
      ? null
      : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function write(rows: EntryRowBuffer, texts: readonly (string | null)[]): void {
  rows.head(HEAD);
  writeTexts(rows, texts);
}

/** Writes a value alone, or as a field of a row that is searched for secrets or not. */
function writeValue(rows: EntryRowBuffer, value: string, way: 'alone' | 'looked at' | 'plain'): void {
  const bytes = Buffer.from(value);
  if (way === 'alone') rows.value(bytes, 0, bytes.length);
  else if (way === 'looked at') looked(rows, bytes);
  else rows.values(rowOf(bytes), FIRST, 1, Uint8Array.of(0));
}

const looked = (rows: EntryRowBuffer, bytes: Buffer): number =>
  rows.values(rowOf(bytes), FIRST, 1, Uint8Array.of(1));

const WAYS = ['alone', 'looked at', 'plain'] as const;
const FIRST = Uint16Array.of(0);

const rowOf = (bytes: Buffer): SentRow => ({
  bytes,
  offsets: Int32Array.of(0),
  lengths: Int32Array.of(bytes.length),
});

function writeTexts(rows: EntryRowBuffer, texts: readonly (string | null)[]): void {
  for (const text of texts) {
    if (text === null) rows.nullText();
    else {
      const bytes = Buffer.from(text);
      rows.beginText();
      rows.raw(bytes, 0, bytes.length);
      rows.endText();
    }
  }
}

const buffer = () => new EntryRowBuffer({ nextId: (327n << 32n) | 41n });

describe('rows of entries', () => {
  test('a row has its ids, transaction and texts where binary COPY expects them', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    write(rows, ['12', 'Omer', null, 'a', 'b', null]);
    write(rows, ['13', null, null, null, null, null]);
    const [first, second] = parse(rows.take(rows.bytes, 2)!);
    expect(first!.length).toBe(21);
    expect(first!.slice(0, 5).map((field) => field!.toString('hex'))).toEqual([
      '000001470000' + '0029',
      '00000000000f4240',
      '00000000016b3748',
      '00000003',
      '00000309',
    ]);
    expect(first!.slice(5, 12).map((field) => field!.toString('hex'))).toEqual([
      '00000004',
      '00000005',
      '00000006',
      '0007',
      '0008',
      '75',
      '63',
    ]);
    expect(first!.slice(12).map((field) => field?.toString() ?? null)).toEqual([
      null,
      null,
      null,
      '12',
      'Omer',
      null,
      'a',
      'b',
      null,
    ]);
    expect(second![0]!.readUInt32BE(4)).toBe(42);
    expect(rows.nextId).toBe((327n << 32n) | 43n);
    expect(rows.bytes).toBe(0);
  });

  test('writing a value reports whether it may contain a secret, and can be undone', () => {
    const rows = buffer();
    rows.head(HEAD);
    rows.beginText();
    const before = rows.bytes;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (start, end) => {
        for (const sign of ['a://b:canary@c ', '?token=canary', 'Bearer canary1', 'Basic dTpw']) {
          const bytes = Buffer.from(`${start}${sign}${end}`);
          expect(looked(rows, bytes)).not.toBe(0);
          expect(rows.lookedText(bytes, 0, bytes.length)).not.toBe(0);
          rows.rewind(before);
        }
      }),
    );
    for (const plain of ['', 'a', 'abc', 'omer@example.com', 'Some note about it, number 12']) {
      const bytes = Buffer.from(plain);
      expect(looked(rows, bytes)).toBe(0);
      expect(rows.lookedText(bytes, 0, bytes.length)).toBe(0);
    }
    rows.rewind(before);
    expect(rows.bytes).toBe(before);
  });

  test('a row that moved has its previous tenant, id and name', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    for (const tenant of [300, SAME_TENANT]) {
      rows.head({ ...HEAD, moved: true });
      rows.previousTenant(tenant);
      writeTexts(rows, ['11', 'Dana', '12', 'Omer', null, 'a', 'b', null]);
    }
    write(rows, ['13', null, null, null, null, null]);
    expect(rows.reattribute(() => ({ modifierId: 9, rung: RUNG_MESSAGE, extra: Buffer.from('{}') }))).toBe(
      true,
    );
    const texts = ['11', 'Dana', '12', 'Omer', null, 'a', 'b', '{}'];
    expect(
      parse(rows.take(rows.bytes, 3)!).map((row) => [
        row[12]?.readInt32BE() ?? null,
        ...row.slice(13).map((field) => field?.toString() ?? null),
      ]),
    ).toEqual([
      [300, ...texts],
      [null, ...texts],
      [null, null, null, '13', null, null, null, null, '{}'],
    ]);
  });

  test('any value survives the encoding, whatever separators and escapes it contains', () => {
    const text = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom('\x1b', '\x1f', '[', '_', 'N', 'U', 'X'),
          fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        ),
        maxLength: 200,
      })
      .map((value) => value.replaceAll('\0', ''));
    const field = fc.oneof(
      { weight: 5, arbitrary: text },
      { weight: 1, arbitrary: fc.constantFrom(MARK_NULL, MARK_UNKNOWN) },
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 12 }), fc.constantFrom(...WAYS), (fields, way) => {
        const rows = buffer();
        rows.transaction(TRANSACTION, 0);
        rows.head(HEAD);
        rows.beginText();
        for (const value of fields) {
          if (typeof value === 'number') rows.mark(value);
          else writeValue(rows, value, way);
        }
        rows.endText();
        for (let rest = 0; rest < 5; rest++) rows.nullText();
        const [row] = parse(rows.take(rows.bytes, 1)!);
        const expected = fields.map((value) =>
          typeof value === 'number'
            ? { is: value === MARK_NULL ? 'null' : 'unknown' }
            : { is: 'text', text: Buffer.from(value).toString() },
        );
        expect(decodeFields(row![15]!.toString())).toEqual(expected);
      }),
    );
  });

  test('a row has each requested column, with a mark for a missing value', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    rows.head(HEAD);
    rows.beginText();
    const long = 'x'.repeat(1_000);
    const bytes = Buffer.from(`onetwo\x1f${long}`);
    const row = {
      bytes,
      offsets: Int32Array.of(0, 3, 0, 0, 6, 7),
      lengths: Int32Array.of(3, 3, -1, -2, 1, 1_000),
    };
    expect(rows.values(row, Uint16Array.of(5, 4, 3, 2, 0), 5, new Uint8Array(6))).toBe(0);
    expect(rows.values(row, Uint16Array.of(1, 4), 1, new Uint8Array(6).fill(1))).toBe(0);
    rows.endText();
    for (let rest = 0; rest < 5; rest++) rows.nullText();
    const [written] = parse(rows.take(rows.bytes, 1)!);
    expect(decodeFields(written![15]!.toString())).toEqual([
      { is: 'text', text: long },
      { is: 'text', text: '\x1f' },
      { is: 'unknown' },
      { is: 'null' },
      { is: 'text', text: 'one' },
      { is: 'text', text: 'two' },
    ]);
  });

  test('values of any length keep their separators and escapes at any position', () => {
    for (const length of [3, 4, 5, 8, 255, 256, 257, 1_000]) {
      for (const mark of ['\x1b', '\x1f', '']) {
        for (const place of new Set([0, 1, length >> 1, length - 2, length - 1])) {
          const value = `${'é'.repeat(length).slice(0, place)}${mark}${'é'.repeat(length - place)}`;
          const rows = buffer();
          rows.transaction(TRANSACTION, 0);
          rows.head(HEAD);
          rows.beginText();
          for (const way of WAYS) writeValue(rows, value, way);
          rows.endText();
          for (let rest = 0; rest < 5; rest++) rows.nullText();
          const [row] = parse(rows.take(rows.bytes, 1)!);
          expect(decodeFields(row![15]!.toString())).toEqual(WAYS.map(() => ({ is: 'text', text: value })));
        }
      }
    }
  });

  test('bytes that are not UTF-8 are stored as hexadecimal digits', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    rows.head(HEAD);
    rows.beginText();
    rows.value(Buffer.from([0xff, 0x00, 0x41]), 0, 3);
    rows.value(Buffer.from('ok'), 0, 2);
    rows.endText();
    for (let rest = 0; rest < 5; rest++) rows.nullText();
    const [row] = parse(rows.take(rows.bytes, 1)!);
    expect(decodeFields(row![15]!.toString())).toEqual([
      { is: 'bytes', text: 'ff0041' },
      { is: 'text', text: 'ok' },
    ]);
  });

  test('any bytes survive the encoding: text as text, everything else as hexadecimal digits', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      // Mostly text, so that both encodings are used at every length.
      fc
        .array(
          fc.constantFrom('a', '\x1b', '\x1f', '\n', 'é', '\u05d0', '😀', '\ufffe', '\x80', '\xc3', '\0'),
          {
            maxLength: 120,
          },
        )
        .map((parts) =>
          Buffer.concat(
            parts.map((part) => Buffer.from(part, part > '\x7f' && part < 'Þ' ? 'latin1' : 'utf8')),
          ),
        ),
    );
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), (values) => {
        const rows = buffer();
        rows.transaction(TRANSACTION, 0);
        rows.head(HEAD);
        rows.beginText();
        // Between other bytes, as in a message.
        for (const value of values)
          rows.value(Buffer.concat([Buffer.from([0xff]), value, Buffer.from([0xff])]), 1, value.length);
        rows.endText();
        for (let rest = 0; rest < 5; rest++) rows.nullText();
        const [row] = parse(rows.take(rows.bytes, 1)!);
        expect(
          decodeFields(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(row![15]!)),
        ).toEqual(
          values.map((value) => {
            const text = textOrNull(value);
            return text === null
              ? { is: 'bytes', text: Buffer.from(value).toString('hex') }
              : { is: 'text', text };
          }),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('an id with bytes that are not text is hexadecimal, and bytes can be stored as bytes even if they look like text', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    rows.head(HEAD);
    for (const value of [[0xc3], [0x61, 0], [0x61, 0xc3, 0xa9]]) {
      rows.beginText();
      rows.text(Buffer.from(value), 0, value.length);
      rows.endText();
    }
    rows.beginText();
    rows.bytesValue(Buffer.from('é'), 0, 2);
    rows.endText();
    for (let rest = 0; rest < 2; rest++) rows.nullText();
    const [row] = parse(rows.take(rows.bytes, 1)!);
    expect(row!.slice(15, 18).map(String)).toEqual(['\\x{c3}', '\\x{6100}', 'aé']);
    expect(decodeFields(String(row![18]))).toEqual([{ is: 'bytes', text: 'c3a9' }]);
  });

  test('only length and digest of a value are stored if it is too large, or makes its side too large', () => {
    const rows = buffer();
    const large = Buffer.alloc(MAX_VALUE_BYTES + 1, 0x61);
    rows.transaction(TRANSACTION, 0);
    rows.head(HEAD);
    rows.nullText();
    rows.beginText();
    rows.value(large, 0, large.length);
    for (let times = 0; times < 5; times++) rows.value(large, 1, MAX_VALUE_BYTES);
    rows.value(large, 0, 3);
    rows.endText();
    for (let rest = 0; rest < 4; rest++) rows.nullText();
    const [row] = parse(rows.take(rows.bytes, 1)!);
    const text = row![16]!;
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    const [first, ...others] = [large, large.subarray(1)].map(
      (bytes) => `\x1bL${bytes.length} ${digest(bytes)}\x1f`,
    );
    expect(text.subarray(0, first!.length).toString()).toBe(first);
    // Three values fit next to the first mark; the rest of the side is short.
    const end = `${others[0]}${others[0]}aaa\x1f`;
    expect(text.length).toBe(first!.length + 3 * (MAX_VALUE_BYTES + 1) + end.length);
    expect(text.subarray(-end.length).toString()).toBe(end);
    expect(decodeFields(text.subarray(0, first!.length).toString())).toEqual([
      { is: 'large', bytes: MAX_VALUE_BYTES + 1, sha256: digest(large) },
    ]);
  });

  test('taking some rows leaves the others complete, and late attribution changes only the running transaction', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    write(rows, ['1', null, null, null, null, null]);
    const whole = rows.bytes;
    rows.transaction(TRANSACTION, 0);
    write(rows, ['2', null, null, null, null, null]);
    write(rows, ['3', null, null, null, null, '{"context":{"job":"earlier"}}']);
    const first = parse(rows.take(whole, 1)!);
    const seen: unknown[] = [];
    const extra = Buffer.from('{"context":{"job":"x"}}');
    expect(
      rows.reattribute((entry) => {
        seen.push({ ...entry, extra: entry.extra?.toString() ?? null });
        return { modifierId: 77, rung: RUNG_MESSAGE, extra };
      }),
    ).toBe(true);
    expect(seen).toEqual([
      { modifierId: 4, rung: RUNG_COLUMN, extra: null },
      { modifierId: 4, rung: RUNG_COLUMN, extra: '{"context":{"job":"earlier"}}' },
    ]);
    expect(rows.reattribute(() => null)).toBe(false);
    const rest = parse(rows.take(rows.bytes, 2)!);
    expect(first.map((row) => [row[5]!.readInt32BE(), row[11]!.toString(), row[20]])).toEqual([
      [4, 'c', null],
    ]);
    expect(
      rest.map((row) => [
        row[15]!.toString(),
        row[5]!.readInt32BE(),
        row[11]!.toString(),
        row[20]!.toString(),
      ]),
    ).toEqual([
      ['2', 77, 'm', '{"context":{"job":"x"}}'],
      ['3', 77, 'm', '{"context":{"job":"x"}}'],
    ]);
    expect(rows.reattribute((entry) => entry)).toBe(false);
  });

  test('the buffer grows for a row larger than itself', () => {
    const rows = buffer();
    rows.transaction(TRANSACTION, 0);
    const large = 'x'.repeat(3_000_000);
    write(rows, ['1', large, null, null, null, null]);
    const [row] = parse(rows.take(rows.bytes, 1)!);
    expect(row![16]!.length).toBe(3_000_000);
  });
});
