import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyText, readableText, storable } from '../../src/pg/text.js';
import { MessageReader } from '../../src/pgoutput/reader.js';
import { redactorOf } from '../../src/pipeline/redaction.js';
import { TableDecoder } from '../../src/pg/encoding.js';
import { recode } from '../../src/source/recode.js';
import { TrailDictionary } from '../../src/trail/write/dictionary.js';
import { messageRecorder } from '../support/message-recorder.ts';
import * as bytes from '../support/pgoutput-bytes.ts';
import { UNCHANGED } from '../support/pgoutput-bytes.ts';

/** Bytes that are similar in every way that could give two values the same text. */
const someBytes = fc
  .array(fc.constantFrom('\\x{', '}', 'c3', '\xc3', '\xa9', '\0', 'a', '\\', '\xff'), { maxLength: 5 })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

describe('bytes as text', () => {
  test('a text stays itself, and different bytes give different keys', () => {
    fc.assert(
      fc.property(someBytes, someBytes, (one, other) => {
        const texts = [one, other].map((value) => keyText(value, 0, value.length));
        expect(texts[0] === texts[1]).toBe(one.equals(other));
        // PostgreSQL accepts any of them.
        expect(texts.map(storable)).toEqual(texts);
      }),
      { numRuns: 20_000 },
    );
    const key = (value: Buffer): string => keyText(value, 0, value.length);
    expect(key(Buffer.from('é'))).toBe('é');
    expect(key(Buffer.from([0xc3]))).toBe('\\x{c3}');
    expect(key(Buffer.from('\\x{c3}'))).toBe('\\x{5c787b63337d}');
    expect(readableText(Buffer.from('\\x{c3}'), 0, 6)).toBe('\\x{c3}');
  });

  test('a truncation keeps the given number of characters, or of bytes that are not text', () => {
    const truncated = (hex: string, length: number): string => {
      const value = Buffer.from(`ffff${hex}ffff`, 'hex');
      const kept = redactorOf({ method: 'truncate', length }, { key: Buffer.alloc(0) })!(
        value,
        2,
        value.length - 4,
      );
      return readableText(kept!, 0, kept!.length);
    };
    expect(truncated('c3a9c3a9c3a9', 2)).toBe('éé…');
    expect(truncated('80'.repeat(1_000), 2)).toBe('\\x{8080}…');
    expect(truncated('c3c3a9f0f0f0', 2)).toBe('\\x{c3c3a9}…');
    expect(truncated('e3', 2)).toBe('\\x{e3}');
    expect(truncated('f09f9880f09f98', 1)).toBe('😀…');
  });

  test('texts from the YAML are stored in a form that PostgreSQL accepts', async () => {
    // A trail without rows: it answers statements and COPY.
    const client = {
      query: (what: string | { handleReadyForQuery(): void }) =>
        typeof what === 'string'
          ? Promise.resolve({ rows: [] })
          : setImmediate(() => what.handleReadyForQuery()),
    };
    const dictionary = await TrailDictionary.load(client as never, {
      held: new Set(),
      lookupTables: new Map(),
      nextId: () => 0n,
    });
    const hostile = 'a\0b\ud83d c\udc00 😀';
    dictionary.action(hostile);
    dictionary.entityType(hostile);
    dictionary.tenant(hostile);
    dictionary.modifier({ key: hostile, name: hostile, kind: 'agent' });
    dictionary.lookups.set('public.t', hostile, { name: hostile, kind: null, tenant: null });
    dictionary.relation({
      schema: 'public',
      table: 't',
      columns: [{ name: 'c', type: 25, values: { [hostile]: hostile } }],
    });
    const statements = dictionary.takeStatements(1n).join(';');
    expect(statements).toContain('a\ufffdb\ufffd c\ufffd 😀');
    expect(statements).toBe(storable(statements));
    expect(statements).not.toMatch(/\\u(0000|d83d|dc00)/i);
    // The dictionary remembers the stored form, so the same text is not stored a second time.
    dictionary.action('a\ufffdb\ufffd c\ufffd 😀');
    expect(dictionary.takeStatements(1n)).toEqual([]);
  });
});

describe('messages of a source that is not UTF-8', () => {
  const latin1 = new TableDecoder({
    table: new Map(
      Array.from({ length: 0x7f }, (_, place) => [
        0x80 + place,
        Buffer.from(String.fromCharCode(0x80 + place)),
      ]),
    ),
    lengthOf: () => 1,
  });
  const read = (messages: readonly Buffer[]): unknown[][] => {
    const { handler, seen } = messageRecorder();
    const reader = new MessageReader(handler);
    for (const message of messages) {
      const recoded = recode(message, latin1);
      reader.read(recoded, 0, recoded.length);
    }
    return seen;
  };
  /** A message in UTF-8 with two of its ASCII bytes replaced by bytes above 127. */
  const inLatin1 = (message: Buffer): Buffer =>
    Buffer.from(message.map((byte) => (byte === 0x7e ? 0xe9 : byte === 0x7c ? 0xff : byte)));

  test('are converted in rows, names and contents; a value that cannot be converted keeps its bytes', () => {
    const seen = read([
      inLatin1(bytes.insert(7, ['~~', null, '', 'a|b'])),
      inLatin1(bytes.update(7, { old: ['~', '|'], kind: 'O', row: ['|', '~'] })),
      inLatin1(
        bytes.relation({
          oid: 7,
          schema: 's~',
          table: 't|',
          identity: 'd',
          columns: [{ name: 'c~', type: 25, key: true }],
        }),
      ),
      inLatin1(bytes.origin({ lsn: 1n, name: 'o~' })),
      inLatin1(bytes.logicalMessage({ transactional: true, lsn: 1n, prefix: 'p~', content: '~a|' })),
      inLatin1(bytes.remove(7, ['~', UNCHANGED], 'K')),
    ]);
    expect(seen.slice(2)).toEqual([
      [
        'relation',
        {
          oid: 7,
          schema: 'sé',
          table: '\\x{74ff}',
          replicaIdentity: 'd',
          columns: [{ name: 'cé', typeOid: 25, typeModifier: -1, isKey: true }],
        },
      ],
      ['origin', { lsn: 1n, name: 'oé' }],
      ['message', { transactional: true, lsn: 1n, prefix: 'pé', content: 'éa\ufffd' }],
      ['delete', 7, 'key', ['é', UNCHANGED]],
    ]);
    expect(seen.slice(0, 2)).toEqual([
      ['insert', 7, ['éé', null, '', '\\x{61ff62}']],
      ['update', 7, 'full', ['é', '\\x{ff}'], ['\\x{ff}', 'é']],
    ]);
  });

  test('are refused by the reader if they were cut anywhere, without reading anything else', () => {
    const message = bytes.insert(7, ['abc', 'é', null]);
    for (let length = 1; length < message.length; length++)
      expect(() => read([message.subarray(0, length)])).toThrow(
        expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }),
      );
  });
});
