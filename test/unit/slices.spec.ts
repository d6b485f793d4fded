import { describe, expect, test } from '@jest/globals';
import { Slices } from '../../src/admin/stream/slices.js';

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Slices that end when the test ends them, and the order in which they began. */
function controlled(slices: Slices) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    ask: (owner: string, name: string, gone?: Promise<never>) =>
      slices.run(
        owner,
        () => {
          begun.push(name);
          return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
        },
        gone,
      ),
    end: async (name: string, afterMs = 0) => {
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      ends.get(name)!();
      await tick();
    },
  };
}

describe('slices of long reads', () => {
  test('run up to the limit at the same time, whoever requests them', async () => {
    const { ask, begun, end } = controlled(new Slices({ atOnce: 2 }));
    void ask('one', 'a');
    void ask('one', 'b');
    void ask('two', 'c');
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  test('go first to the owner who has used the least time, even if another owner has more waiting', async () => {
    const { ask, begun, end } = controlled(new Slices({ atOnce: 1 }));
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) void ask('greedy', name);
    await end('a', 20);
    const other = ask('other', 'x');
    await end('b', 20);
    expect(begun).toEqual(['a', 'b', 'x']);
    await end('x');
    await expect(other).resolves.toBe('x');
  });

  test('do not begin for a client that has left, and a failed slice makes room for the next', async () => {
    const slices = new Slices({ atOnce: 1 });
    const { ask, begun, end } = controlled(slices);
    const failing = slices.run('one', () => Promise.reject(new Error('broken')));
    let leave = (): void => undefined;
    const gone = new Promise<never>((_resolve, reject) => (leave = () => reject(new Error('gone'))));
    void ask('one', 'a');
    const waiting = ask('two', 'b', gone);
    leave();
    await expect(failing).rejects.toThrow('broken');
    await expect(waiting).rejects.toThrow('gone');
    await end('a');
    expect(begun).toEqual(['a']);
  });
});
