import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FrameReader } from '../../src/source/frames.js';
import { MessageOrder } from '../../src/source/message-order.js';

/** A frame in the form that the source sends. `lsn` is used only for pgoutput messages. */
interface Sent {
  readonly kind: 'change' | 'relation' | 'message' | 'begin' | 'keepalive' | 'notice';
  readonly lsn: number;
  readonly text: string;
}

const TAGS = { change: 'I', relation: 'R', message: 'M', begin: 'B' } as const;

function frameOf({ kind, lsn, text }: Sent): Buffer {
  const body = Buffer.concat(
    kind === 'notice'
      ? [Buffer.from(text)]
      : kind === 'keepalive'
        ? [Buffer.from('k'), Buffer.alloc(17), Buffer.from(text)]
        : [Buffer.from('w'), int8(lsn), Buffer.alloc(16), Buffer.from(TAGS[kind] + text)],
  );
  const header = Buffer.alloc(5);
  header[0] = (kind === 'notice' ? 'N' : 'd').charCodeAt(0);
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const int8 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

/** What is passed on from a stream that arrives in pieces of these sizes. */
function handedOver(sent: readonly Sent[], sizes: readonly number[]): string[] {
  const handed: string[] = [];
  const reader = new FrameReader((tag, bytes, start, end) => {
    const at = tag === 0x4e ? start : bytes[start] === 0x6b ? start + 18 : start + 26;
    handed.push(bytes.toString('utf8', at, end));
  }, new MessageOrder());
  const stream = Buffer.concat(sent.map(frameOf));
  for (let at = 0, piece = 0; at < stream.length; piece++) {
    const size = sizes[piece % sizes.length]!;
    reader.push(stream.subarray(at, at + size));
    at += size;
  }
  return handed;
}

/**
 * Moves each logical message before the changes of its own LSN that are directly before it. Frames without a
 * pgoutput message are ignored for this.
 */
function inOrder(sent: readonly Sent[]): string[] {
  const ordered: Sent[] = [];
  for (const frame of sent) {
    let at = ordered.length;
    for (let back = at; frame.kind === 'message' && back > 0;) {
      const before = ordered[--back]!;
      if (before.kind === 'keepalive' || before.kind === 'notice') continue;
      if ((before.kind !== 'change' && before.kind !== 'relation') || before.lsn !== frame.lsn) break;
      at = back;
    }
    ordered.splice(at, 0, frame);
  }
  return ordered.map(({ text }) => text);
}

const commit: Sent = { kind: 'begin', lsn: 0, text: 'end' };
const change = (lsn: number, text: string): Sent => ({ kind: 'change', lsn, text });
const message = (lsn: number, text: string): Sent => ({ kind: 'message', lsn, text });

test('a logical message comes before all rows of its record, which have its LSN and were sent earlier', () => {
  const keepalive: Sent = { kind: 'keepalive', lsn: 0, text: 'alive' };
  const sent = [
    change(1, 'a'), { kind: 'relation', lsn: 2, text: 'relation' }, change(2, 'b'), keepalive, change(2, 'c'), message(2, 'm'), change(3, 'd'),
    message(4, 'n'), commit,
  ] as const; // prettier-ignore
  expect(handedOver(sent, [1_000_000])).toEqual(['a', 'm', 'relation', 'b', 'alive', 'c', 'd', 'n', 'end']);
});

test('every frame is passed on once, in the order of a naive model, however the stream is cut', () => {
  const frame = fc.record({
    kind: fc.constantFrom<Sent['kind']>(
      'change',
      'change',
      'change',
      'relation',
      'message',
      'message',
      'begin',
      'keepalive',
      'notice',
    ),
    stays: fc.boolean(),
    length: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 30 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 300_000 }) },
    ),
  });
  let moved = 0;
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      (frames, sizes) => {
        // LSNs increase. A message may have the LSN of the changes before it, but not of those after it.
        let lsn = 1;
        const sent = frames.map(({ kind, stays, length }, index): Sent => {
          const text = `${index}`.padEnd(length, '.');
          if (kind === 'message' && stays) return { kind, lsn: lsn++, text };
          if (kind === 'message' || !stays) lsn += 2;
          return { kind, lsn: kind === 'message' ? lsn - 1 : lsn, text };
        });
        const expected = inOrder([...sent, commit]);
        expect(handedOver([...sent, commit], sizes)).toEqual(expected);
        if (expected.join() !== [...sent, commit].map(({ text }) => text).join()) moved++;
      },
    ),
    { numRuns: 500 },
  );
  expect(moved).toBeGreaterThan(50);
});
