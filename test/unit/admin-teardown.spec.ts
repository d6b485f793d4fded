import { describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/log.js';
import { Teardown } from '../../src/teardown.js';

describe('the teardown of the daemon', () => {
  test('stops the parts in the reverse order of the start, one after the other', async () => {
    const stopped: string[] = [];
    const teardown = new Teardown(silentLog);
    for (const part of ['pool', 'worker', 'http']) {
      teardown.add(part, {
        limitMs: 1_000,
        stop: async () => {
          await new Promise((resolve) => setTimeout(resolve, part === 'http' ? 30 : 1));
          stopped.push(part);
        },
      });
    }
    await teardown.run();
    expect(stopped).toEqual(['http', 'worker', 'pool']);
  });

  test('continues after a part that hangs or fails', async () => {
    const stopped: string[] = [];
    const teardown = new Teardown(silentLog);
    teardown.add('pool', { limitMs: 1_000, stop: () => stopped.push('pool') });
    teardown.add('fails', { limitMs: 1_000, stop: () => Promise.reject(new Error('no')) });
    teardown.add('throws', {
      limitMs: 1_000,
      stop: () => {
        throw new Error('no');
      },
    });
    teardown.add('hangs', { limitMs: 20, stop: () => new Promise(() => undefined) });
    await teardown.run();
    expect(stopped).toEqual(['pool']);
  });

  test('runs once, however often it is called', async () => {
    let runs = 0;
    const teardown = new Teardown(silentLog);
    teardown.add('pool', { limitMs: 1_000, stop: () => (runs += 1) });
    await Promise.all([teardown.run(), teardown.run()]);
    await teardown.run();
    expect(runs).toBe(1);
  });
});
