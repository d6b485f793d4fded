import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { followColumns } from '../../src/pipeline/followed-columns.js';
import type { Attribute } from '../../src/tracking/attributes.js';

type Change = {
  readonly kind: 'add' | 'rename' | 'drop' | 'swap';
  readonly at: number;
  readonly name: string;
};

/** The columns of a table after each of several changes. Every change has its own transaction. */
function historyOf(changes: readonly Change[]): readonly (readonly Attribute[])[] {
  const first = ['id', 'a', 'b'].map((name, index) => attribute(index + 1, name, 1));
  const states: (readonly Attribute[])[] = [first];
  for (const [index, change] of changes.entries()) {
    const xid = index + 2;
    const before = states.at(-1)!;
    const living = before.filter(({ dropped }) => !dropped);
    const chosen = living[change.at % Math.max(1, living.length)];
    const isFree = living.every(({ name }) => name !== change.name);
    const set = (number: number, made: Attribute): readonly Attribute[] =>
      before.map((old) => (old.number === number ? made : old));
    if (change.kind === 'add' && isFree)
      states.push([...before, attribute(before.length + 1, change.name, xid)]);
    else if (change.kind === 'rename' && chosen !== undefined && isFree)
      states.push(set(chosen.number, attribute(chosen.number, change.name, xid)));
    else if (change.kind === 'drop' && chosen !== undefined)
      states.push(
        set(chosen.number, { ...attribute(chosen.number, `dropped.${chosen.number}`, xid), dropped: true }),
      );
    else if (change.kind === 'swap' && chosen !== undefined) {
      const other = living[(change.at + 1) % living.length]!;
      states.push(
        before.map((old) =>
          old.number === chosen.number
            ? attribute(old.number, other.name, xid)
            : old.number === other.number
              ? attribute(old.number, chosen.name, xid)
              : old,
        ),
      );
    } else states.push(before);
  }
  return states;
}

const attribute = (number: number, name: string, xid: number): Attribute => ({
  number,
  name,
  dropped: false,
  generated: null,
  xid,
});

const living = (state: readonly Attribute[]): readonly Attribute[] => state.filter(({ dropped }) => !dropped);

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('add', 'rename', 'rename', 'drop', 'swap'),
  at: fc.nat(7),
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
});

describe('the columns of a message, found in a catalog that is already newer', () => {
  test('are identified correctly, or the right one is among the candidates, whatever changed since', () => {
    fc.assert(
      // The message belongs to the transaction of the change before it or after it.
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(), fc.nat(1), (changes, when, own) => {
        const states = historyOf(changes);
        const then = when % states.length;
        const sent = living(states[then]!);
        const columns = followColumns({
          names: sent.map(({ name }) => name),
          attributes: states.at(-1)!,
          xid: then + 1 + own,
        });
        sent.forEach(({ number }, index) => {
          const column = columns[index]!;
          if (column.number === null) expect(column.maybe).toContain(number);
          else expect(column.number).toBe(number);
        });
      }),
      { numRuns: 5_000 },
    );
  });

  test('are certain if nothing was dropped since then or in the same transaction', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(), (all, when) => {
        const states = historyOf(all);
        const then = when % states.length;
        const dropped = states.at(-1)!.some((column) => column.dropped && column.xid! >= then + 1);
        fc.pre(!dropped);
        const sent = living(states[then]!);
        const columns = followColumns({
          names: sent.map(({ name }) => name),
          attributes: states.at(-1)!,
          xid: then + 1,
        });
        expect(columns.map(({ number }) => number)).toEqual(sent.map(({ number }) => number));
      }),
    );
  });

  test('are certain after transaction ids have wrapped around, too', () => {
    const attributes = [attribute(1, 'id', 0xffff_fff0), attribute(2, 'pwd', 4)];
    const columns = followColumns({ names: ['id', 'password'], attributes, xid: 0xffff_fffe | 0 });
    expect(columns.map(({ number }) => number)).toEqual([1, 2]);
  });

  test('remain uncertain near a generated column, which may be published or not', () => {
    const attributes: Attribute[] = [
      attribute(1, 'id', 1),
      { ...attribute(2, 'g', 9), generated: 'stored' },
      attribute(3, 'pwd', 9),
    ];
    expect(followColumns({ names: ['id', 'password'], attributes, xid: 5 })[1]!.maybe).toEqual([2, 3]);
    expect(followColumns({ names: ['id', 'x', 'password'], attributes, xid: 5 })[2]!.maybe).toContain(3);
  });
});
