import { expect, test } from '@jest/globals';
import { StreamingPause } from '../../src/capture/streaming-pause.js';

test('the pause in streaming doubles with each transaction that must be read whole, up to ten minutes, until streaming has lasted', () => {
  const reading = new StreamingPause();
  expect(reading.until).toBeNull();
  // The end of reading a backlog has no effect.
  reading.end(500);
  let now = 1_000;
  const stretches: number[] = [];
  for (let times = 0; times < 9; times++) {
    reading.begin(now);
    stretches.push((reading.until! - now) / 1000);
    now = reading.until!;
    reading.end(now);
    expect(reading.until).toBeNull();
    now += 1_000;
  }
  expect(stretches).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600]);
  reading.begin(now + 600_000);
  expect(reading.until! - now - 600_000).toBe(5_000);
});
