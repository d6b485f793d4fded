import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EventStreamParser } from '../../src/web/feed/event-stream.js';

const STREAM =
  'retry: 1000\n\nid: 5\n\nid: 6\ndata: {"a":1}\n\n: heartbeat\nid: 7\n\nevent: done\r\ndata: one\r\ndata:two\r\n\r\n';
const EVENTS = [
  { id: '6', type: 'message', data: '{"a":1}' },
  { id: '7', type: 'done', data: 'one\ntwo' },
];

describe('the parser of the event stream', () => {
  test('returns the same events wherever the chunks end', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: STREAM.length })), (cuts) => {
        const parser = new EventStreamParser();
        const ends = [...new Set(cuts), STREAM.length].sort((a, b) => a - b);
        const events = ends.flatMap((end, index) => parser.push(STREAM.slice(ends[index - 1] ?? 0, end)));
        expect(events).toEqual(EVENTS);
      }),
    );
  });

  test('returns no event before it is complete', () => {
    const parser = new EventStreamParser();
    expect(parser.push('id: 5\ndata: half')).toEqual([]);
    expect(parser.push('\n\n')).toEqual([{ id: '5', type: 'message', data: 'half' }]);
  });
});
