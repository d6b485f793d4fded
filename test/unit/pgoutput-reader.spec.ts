import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MessageReader } from '../../src/pgoutput/reader.js';
import { FrameReader } from '../../src/source/frames.js';
import { messageRecorder } from '../support/message-recorder.ts';
import * as bytes from '../support/pgoutput-bytes.ts';
import type { Column } from '../support/pgoutput-bytes.ts';

/** Everything that the handler gets, as plain data. */
function read(messages: readonly Buffer[]): unknown[] {
  const { handler, seen } = messageRecorder();
  const reader = new MessageReader(handler);
  for (const message of messages) {
    // The message is not at the start of its buffer, because positions must be absolute.
    const padded = Buffer.concat([Buffer.from('pad'), message, Buffer.from('more')]);
    reader.read(padded, 3, 3 + message.length);
  }
  return seen;
}

const value = fc.oneof(
  // A text of PostgreSQL never contains NUL.
  fc.string({ unit: 'binary', maxLength: 300 }).map((text) => text.replaceAll('\0', '')),
  fc.constant(null),
  fc.constant(bytes.UNCHANGED),
);
const text = (column: Column): Column =>
  typeof column === 'string' ? Buffer.from(column).toString() : column;

describe('pgoutput messages', () => {
  test('begin, commit and relation are read as documented', () => {
    const columns = [
      { name: 'id', type: 23, key: true },
      { name: 'näme', type: 25 },
    ];
    expect(
      read([
        bytes.begin({ lsn: 0x16b3748n, at: 12345n, xid: 812 }),
        bytes.relation({ oid: 0xf0000001, schema: '', table: 't', identity: 'f', columns }),
        bytes.commit({ lsn: 0x16b3748n, endLsn: 0x16b3780n, at: 12345n }),
      ]),
    ).toEqual([
      ['begin', 0x16b3748n, 12345n, 812],
      [
        'relation',
        {
          oid: 0xf0000001 | 0,
          schema: 'pg_catalog',
          table: 't',
          replicaIdentity: 'f',
          columns: [
            { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
            { name: 'näme', typeOid: 25, typeModifier: -1, isKey: false },
          ],
        },
      ],
      ['commit', 0x16b3748n, 0x16b3780n, 12345n],
    ]);
  });

  test('rows with any content are read unchanged', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), fc.array(value, { maxLength: 40 }), (old, updated) => {
        expect(
          read([
            bytes.insert(7, updated),
            bytes.update(7, { row: updated }),
            bytes.update(7, { old, row: updated }),
            bytes.update(7, { old, kind: 'K', row: updated }),
            bytes.remove(7, old),
            bytes.remove(7, old, 'K'),
          ]),
        ).toEqual([
          ['insert', 7, updated.map(text)],
          ['update', 7, 'none', null, updated.map(text)],
          ['update', 7, 'full', old.map(text), updated.map(text)],
          ['update', 7, 'key', old.map(text), updated.map(text)],
          ['delete', 7, 'full', old.map(text)],
          ['delete', 7, 'key', old.map(text)],
        ]);
      }),
    );
  });

  test('truncate, logical messages and origins are read, and types are ignored', () => {
    const message = { transactional: true, lsn: 99n, prefix: 'waltrail', content: '{"modifier": 7}' };
    expect(
      read([
        bytes.truncate([1, 2]),
        bytes.logicalMessage(message),
        bytes.origin({ lsn: 12n, name: 'elsewhere' }),
        Buffer.from('Yxxxx\0name\0'),
      ]),
    ).toEqual([
      ['truncate', [1, 2]],
      ['message', message],
      ['origin', { lsn: 12n, name: 'elsewhere' }],
    ]);
  });

  test('messages of a stream have the xid of their subtransaction after the tag, except origins', () => {
    const message = { transactional: true, lsn: 99n, prefix: 'p', content: 'c' };
    const table = { oid: 7, schema: 's', table: 't', identity: 'f', columns: [] };
    expect(
      read([
        bytes.streamStart(900),
        bytes.origin({ lsn: 0n, name: 'elsewhere' }),
        bytes.streamed(901, bytes.relation(table)),
        bytes.streamed(901, Buffer.from('Yxxxx\0name\0')),
        bytes.streamed(901, bytes.insert(7, ['a'])),
        bytes.streamed(900, bytes.update(7, { old: ['a'], row: ['b'] })),
        bytes.streamed(902, bytes.remove(7, ['b'])),
        bytes.streamed(902, bytes.truncate([7])),
        bytes.streamed(-5, bytes.logicalMessage(message)),
        bytes.streamStop(),
        bytes.insert(7, ['outside']),
        bytes.streamAbort(900, 902),
        bytes.streamCommit({ xid: 900, lsn: 10n, endLsn: 20n, at: 30n }),
      ]),
    ).toEqual([
      ['transaction', { kind: 'stream start', xid: 900, first: true }],
      ['origin', { lsn: 0n, name: 'elsewhere' }],
      ['streamed', 901],
      ['relation', { oid: 7, schema: 's', table: 't', replicaIdentity: 'f', columns: [] }],
      ['streamed', 901],
      ['streamed', 901],
      ['insert', 7, ['a']],
      ['streamed', 900],
      ['update', 7, 'full', ['a'], ['b']],
      ['streamed', 902],
      ['delete', 7, 'full', ['b']],
      ['streamed', 902],
      ['truncate', [7]],
      ['streamed', -5],
      ['message', message],
      ['transaction', { kind: 'stream stop' }],
      ['insert', 7, ['outside']],
      ['transaction', { kind: 'stream abort', xid: 900, subXid: 902, aborted: null }],
      ['transaction', { kind: 'stream commit', xid: 900, commitLsn: 10n, endLsn: 20n, committedAt: 30n }],
    ]);
    expect(() => read([bytes.streamStart(900), bytes.streamAbort(900, 900)])).toThrow(
      expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }),
    );
  });

  test('a message that is not pgoutput is an error that names it', () => {
    expect(() => read([Buffer.from('Zwhat')])).toThrow(
      expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }),
    );
    expect(() => read([Buffer.concat([bytes.insert(7, ['abc']).subarray(0, -2)])])).toThrow(
      expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }),
    );
    const unknown = bytes.insert(7, ['abc']);
    unknown[unknown.indexOf('t'.charCodeAt(0))] = 'c'.charCodeAt(0);
    expect(() => read([unknown])).toThrow(expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }));
  });
});

describe('frames', () => {
  test('do not depend on where the stream is cut', () => {
    const frame = fc.record({
      tag: fc.integer({ min: 1, max: 255 }),
      body: fc.uint8Array({ maxLength: 3000 }),
    });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }),
        (frames, cuts) => {
          const stream = Buffer.concat(
            frames.map(({ tag, body }) => {
              const header = Buffer.alloc(5);
              header[0] = tag;
              header.writeInt32BE(body.length + 4, 1);
              return Buffer.concat([header, body]);
            }),
          );
          const seen: { tag: number; body: Uint8Array }[] = [];
          const reader = new FrameReader((tag, buffer, start, end) =>
            seen.push({ tag, body: Uint8Array.from(buffer.subarray(start, end)) }),
          );
          for (let at = 0, cut = 0; at < stream.length; cut++) {
            const size = cuts[cut % cuts.length]!;
            reader.push(stream.subarray(at, at + size));
            at += size;
          }
          expect(seen).toEqual(frames.map(({ tag, body }) => ({ tag, body: Uint8Array.from(body) })));
        },
      ),
    );
  });

  test('are kept while the reader is held, and release resumes where it stopped', () => {
    const frame = (text: string): Buffer => {
      const header = Buffer.from([0x64, 0, 0, 0, text.length + 4]);
      return Buffer.concat([header, Buffer.from(text)]);
    };
    const seen: string[] = [];
    const reader = new FrameReader((_tag, buffer, start, end) => {
      const text = buffer.toString('utf8', start, end);
      seen.push(text);
      if (text.startsWith('hold')) reader.hold();
    });
    const stream = Buffer.concat(['a', 'hold 1', 'b', 'hold 2', 'c', 'd'].map(frame));
    reader.push(stream.subarray(0, stream.length - 3));
    expect([seen.splice(0), reader.held]).toEqual([['a', 'hold 1'], true]);
    reader.push(stream.subarray(stream.length - 3));
    expect(seen.splice(0)).toEqual([]);
    reader.release();
    expect([seen.splice(0), reader.held]).toEqual([['b', 'hold 2'], true]);
    reader.release();
    expect([seen, reader.held]).toEqual([['c', 'd'], false]);
  });

  test('larger than the buffer are read whole', () => {
    const body = Buffer.alloc(9_000_000, 0x61);
    const header = Buffer.alloc(5);
    header[0] = 0x64;
    header.writeInt32BE(body.length + 4, 1);
    let length = 0;
    const reader = new FrameReader((_tag, _buffer, start, end) => {
      length = end - start;
    });
    const stream = Buffer.concat([header, body]);
    for (let at = 0; at < stream.length; at += 65_536) reader.push(stream.subarray(at, at + 65_536));
    expect(length).toBe(body.length);
  });
});
