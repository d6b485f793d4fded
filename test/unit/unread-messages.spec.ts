import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createLog } from '../../src/log.js';
import { UnreadMessages, type UnreadMessage } from '../../src/pipeline/unread-messages.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const message = (n: number): UnreadMessage => ({
  lsn: BigInt(n),
  commitLsn: BigInt(100_000),
  xid: -1,
  prefix: '_bemi',
  reason: 'too large',
});

test('messages that were not understood are counted, and logged at most once a minute with their number and the last one', () => {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const unread = new UnreadMessages(createLog({ level: 'warn', destination }));
  for (let n = 1; n <= 20_000; n++) unread.add(message(n));
  expect(unread.count).toBe(20_000);
  // The stream repeats them after a reconnect.
  for (let n = 1; n <= 100; n++) unread.add(message(n));
  expect(unread.count).toBe(20_000);
  const told = () =>
    lines.splice(0).map(({ messages, lsn, xid, prefix, reason }) => ({ messages, lsn, xid, prefix, reason }));
  const line = (messages: number, last: number) => ({
    messages,
    lsn: `0/${last.toString(16).toUpperCase()}`,
    xid: '4294967295',
    prefix: '_bemi',
    reason: 'too large',
  });
  expect(told()).toEqual([line(1, 1)]);
  jest.advanceTimersByTime(59_000);
  expect(told()).toEqual([]);
  jest.advanceTimersByTime(2_000);
  expect(told()).toEqual([line(19_999, 20_000)]);
  unread.add(message(20_001));
  expect(told()).toEqual([]);
  jest.advanceTimersByTime(600_000);
  expect(told()).toEqual([line(1, 20_001)]);
  unread.add(message(20_002));
  unread.add(message(20_003));
  unread.stop();
  expect(told()).toEqual([line(1, 20_002), line(1, 20_003)]);
  jest.advanceTimersByTime(600_000);
  expect(told()).toEqual([]);
});
