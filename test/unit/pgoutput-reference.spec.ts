import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MessageReader } from '../../src/pgoutput/reader.js';
import { FrameReader } from '../../src/source/frames.js';
import { messageRecorder } from '../support/message-recorder.ts';
import * as bytes from '../support/pgoutput-bytes.ts';
import { ReferenceReader } from '../support/reference-reader.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');

type Outcome = { readonly seen: unknown[][] } | { readonly refused: unknown };

/**
 * What a reader makes of messages that follow each other in one buffer. If it reads too far, it reads other
 * messages.
 */
function outcome(
  Reader: typeof MessageReader | typeof ReferenceReader,
  messages: readonly Buffer[],
): Outcome {
  const { handler, seen } = messageRecorder();
  const reader = new Reader(handler);
  const all = Buffer.concat([Buffer.from('before'), ...messages, Buffer.from('behind\0')]);
  let at = 6;
  try {
    for (const { length } of messages) {
      reader.read(all, at, at + length);
      at += length;
    }
  } catch (refused) {
    return { refused };
  }
  return { seen };
}

/**
 * Expects both readers to see the same, or both to refuse (the fast one with its code). Returns what was
 * seen.
 */
function agree(messages: readonly Buffer[]): unknown[][] | null {
  const reference = outcome(ReferenceReader, messages);
  const fast = outcome(MessageReader, messages);
  if ('refused' in reference) {
    expect(fast).toEqual({ refused: expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }) as unknown });
    return null;
  }
  expect(fast).toEqual(reference);
  return reference.seen;
}

// ---------------------------------------------------------------- random messages

const column = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 2,
    arbitrary: fc.string({
      unit: fc.constantFrom('\x1b', '\x1f', '\0', 'n', 't', 'u', 'é', '😀'),
      maxLength: 12,
    }),
  },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 3000 }).map((length) => 'ü'.repeat(length)) },
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant(bytes.UNCHANGED) },
);
const row = fc.array(column, { maxLength: 12 });
const int32 = fc.integer();
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const lsn = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const name = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
const kind = fc.constantFrom('K' as const, 'O' as const);
const prepared = fc.record({ lsn, endLsn: lsn, at: int64, xid: int32, gid: name, rolledBackAt: int64 });

/** Messages that may be inside a transaction, streamed or not. */
const change = fc.oneof(
  fc.tuple(int32, row).map(([oid, updated]) => bytes.insert(oid, updated)),
  fc.tuple(int32, row).map(([oid, updated]) => bytes.update(oid, { row: updated })),
  fc
    .tuple(int32, row, kind, row)
    .map(([oid, old, of, updated]) => bytes.update(oid, { old, kind: of, row: updated })),
  fc.tuple(int32, row, kind).map(([oid, old, of]) => bytes.remove(oid, old, of)),
  fc.array(int32, { maxLength: 5 }).map((oids) => bytes.truncate(oids)),
  fc
    .record({ transactional: fc.boolean(), lsn, prefix: name, content: fc.string({ unit: 'binary' }) })
    .map(bytes.logicalMessage),
  fc
    .record({
      oid: int32,
      schema: name,
      table: name,
      identity: fc.constantFrom('d', 'n', 'f', 'i'),
      columns: fc.array(fc.record({ name, type: fc.nat(), key: fc.boolean() }), { maxLength: 8 }),
    })
    .map(bytes.relation),
  fc.record({ oid: int32, schema: name, name }).map(bytes.type),
);
const origin = fc.record({ lsn, name }).map(bytes.origin);

/** Stream Start, changes with the xid of their subtransaction, Stream Stop. */
const stream = fc
  .tuple(
    int32,
    fc.boolean(),
    fc.array(
      fc.oneof(
        fc.tuple(int32, change).map(([xid, of]) => bytes.streamed(xid, of)),
        origin,
      ),
      { maxLength: 6 },
    ),
  )
  .map(([xid, first, changes]) => [bytes.streamStart(xid, first), ...changes, bytes.streamStop()]);

const single = fc.oneof(
  { weight: 6, arbitrary: change },
  { weight: 1, arbitrary: origin },
  { weight: 1, arbitrary: fc.record({ lsn, at: int64, xid: int32 }).map(bytes.begin) },
  { weight: 1, arbitrary: fc.record({ lsn, endLsn: lsn, at: int64 }).map(bytes.commit) },
  { weight: 1, arbitrary: fc.record({ xid: int32, lsn, endLsn: lsn, at: int64 }).map(bytes.streamCommit) },
  { weight: 1, arbitrary: fc.tuple(int32, int32).map(([xid, sub]) => bytes.streamAbort(xid, sub)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(int32, int32, fc.record({ lsn, at: int64 }))
      .map(([xid, sub, at]) => bytes.streamAbortAt(xid, sub, at)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        prepared,
        fc.constantFrom(
          bytes.beginPrepare,
          bytes.prepare,
          bytes.streamPrepare,
          bytes.commitPrepared,
          bytes.rollbackPrepared,
        ),
      )
      .map(([of, make]) => make(of)),
  },
);
const program = fc
  .array(
    fc.oneof({ weight: 4, arbitrary: single.map((message) => [message]) }, { weight: 1, arbitrary: stream }),
    { maxLength: 10 },
  )
  .map((parts) => parts.flat());

describe('the fast reader and the reader written from the documentation', () => {
  test('agree on any sequence of messages', () => {
    fc.assert(
      fc.property(program, (messages) => {
        const seen = agree(messages);
        expect(seen).not.toBeNull();
      }),
      { numRuns: 1000 },
    );
  });

  test('agree on messages that were cut, extended or changed: both refuse, or both read the same', () => {
    const damage = fc.oneof(
      fc.record({ is: fc.constant('cut' as const), at: fc.nat() }),
      fc.record({ is: fc.constant('longer' as const), by: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
      fc.record({
        is: fc.constant('byte' as const),
        at: fc.nat(),
        to: fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff)),
      }),
    );
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(single, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        (messages, which, damages) => {
          const index = which % messages.length;
          const damaged = damages.reduce((message: Buffer, of) => {
            if (of.is === 'cut') return message.subarray(0, Math.max(1, of.at % message.length));
            if (of.is === 'longer') return Buffer.concat([message, of.by]);
            const changed = Buffer.from(message);
            changed[of.at % message.length] = of.to;
            return changed;
          }, messages[index]!);
          if (agree(messages.with(index, damaged)) === null) refused++;
        },
      ),
      { numRuns: 4000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  test('agree on damaged streams of transactions in progress', () => {
    fc.assert(
      fc.property(stream, fc.nat(), fc.nat(), fc.nat(255), (messages, which, at, to) => {
        const index = which % messages.length;
        const changed = Buffer.from(messages[index]!);
        changed[at % changed.length] = to;
        agree(messages.with(index, changed));
      }),
      { numRuns: 1000 },
    );
  });

  test('agree on random bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...'BCIUDTRYMOSEcAbPKrp'),
        fc.uint8Array({ maxLength: 60 }),
        (tag, body) => {
          agree([Buffer.concat([Buffer.from(tag), body])]);
        },
      ),
      { numRuns: 4000 },
    );
  });

  test('agree on a stream of frames that is cut anywhere', () => {
    fc.assert(
      fc.property(
        program,
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }),
        (messages, cuts) => {
          const frames = Buffer.concat(
            messages.map((message) => {
              const header = Buffer.alloc(5);
              header[0] = 0x64;
              header.writeInt32BE(message.length + 4, 1);
              return Buffer.concat([header, message]);
            }),
          );
          const { handler, seen } = messageRecorder();
          const reader = new MessageReader(handler);
          const frameReader = new FrameReader((_, buffer, start, end) => reader.read(buffer, start, end));
          for (let at = 0, cut = 0; at < frames.length; cut++) {
            const size = cuts[cut % cuts.length]!;
            frameReader.push(frames.subarray(at, at + size));
            at += size;
          }
          expect({ seen }).toEqual(outcome(ReferenceReader, messages));
        },
      ),
      { numRuns: 500 },
    );
  });

  // Recorded with test/fixtures/record.mjs, which explains how.
  test.each(readdirSync(FIXTURES).filter((file) => file.endsWith('.hex')))(
    'agree on what PostgreSQL sent: %s',
    (file) => {
      const messages = readFileSync(path.join(FIXTURES, file), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => Buffer.from(line, 'hex'));
      const seen = agree(messages)!;
      const always = ['relation', 'insert', 'update', 'delete', 'truncate', 'message'];
      const byProtocol = file.includes('protocol-1')
        ? ['begin', 'commit', 'origin']
        : ['transaction', 'streamed'];
      expect(new Set(seen.map(([kind]) => kind))).toEqual(new Set([...always, ...byProtocol]));
      expect(seen.length).toBeGreaterThan(30);
    },
  );
});
