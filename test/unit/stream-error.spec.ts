import { expect, test } from '@jest/globals';
import { streamError } from '../../src/source/stream-error.js';

const error = (code: string | undefined, message: string) =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

test.each([
  ['EPIPE', 'write EPIPE', 'SOURCE_DISCONNECTED'],
  ['ECONNRESET', 'read ECONNRESET', 'SOURCE_DISCONNECTED'],
  [undefined, 'Connection terminated', 'SOURCE_DISCONNECTED'],
  ['57P01', 'terminating connection due to administrator command', 'SOURCE_DISCONNECTED'],
  ['53300', 'too many connections', 'SOURCE_DISCONNECTED'],
  ['55006', 'replication slot is active', 'SOURCE_SLOT_BUSY'],
  ['55000', 'can no longer access replication slot', 'SOURCE_SLOT_INVALID'],
  ['54000', 'string buffer exceeds maximum allowed length', 'SOURCE_ROW_TOO_LARGE'],
  ['42704', 'publication does not exist', 'SOURCE_REPLICATION_FAILED'],
])('SQLSTATE %s (%s) leads to %s', (code, message, meaning) => {
  expect(streamError(error(code, message)).code).toBe(meaning);
});

test('the text of an error that quotes a value is not reported', () => {
  const reported = streamError(error('22P02', 'invalid input syntax for type integer: "secret"'));
  expect(reported.message).toContain('22P02');
  expect(reported.message).not.toContain('secret');
});
