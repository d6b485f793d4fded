import { describe, expect, test } from '@jest/globals';
import { BaselineGate, type PlacedBaseline } from '../../src/pipeline/baseline.js';

const placedAt = (lsn: bigint): PlacedBaseline => ({
  baseline: { lsn, at: 0n, tables: [] },
  stored: () => undefined,
});

/** Whether a transaction may pass: immediately, or because what it waited for has ended. */
const passes = async (waits: Promise<void> | undefined): Promise<boolean> => {
  if (waits === undefined) return true;
  return Promise.race([
    waits.then(() => true),
    new Promise<boolean>((end) => setImmediate(() => end(false))),
  ]);
};

describe('the place of a baseline', () => {
  test('is before the first transaction that commits at or after its position', async () => {
    const gate = new BaselineGate(10n);
    expect(gate.isShut).toBe(false);
    gate.holdFrom(20n);
    expect(await passes(gate.next(19n))).toBe(true);
    gate.place(placedAt(20n));
    expect(gate.take()).toBeNull();
    const waits = gate.next(20n);
    expect(await passes(waits)).toBe(false);
    expect(gate.take()?.baseline.lsn).toBe(20n);
    expect(gate.take()).toBeNull();
    gate.holdFrom(null);
    expect(await passes(waits)).toBe(true);
    expect(gate.isShut).toBe(false);
  });

  test('is found by a waiting transaction, by a quiet stream, and at the checkpoint', async () => {
    const waiting = new BaselineGate(10n);
    waiting.holdFrom(20n);
    const waits = waiting.next(25n);
    expect(await passes(waits)).toBe(false);
    waiting.place(placedAt(20n));
    expect(waiting.take()).not.toBeNull();

    const quiet = new BaselineGate(10n);
    quiet.place(placedAt(20n));
    expect(quiet.take()).toBeNull();
    quiet.quietUntil(20n);
    expect(quiet.take()).not.toBeNull();

    const first = new BaselineGate(10n);
    first.place(placedAt(10n));
    expect(first.take()).not.toBeNull();
  });

  test('lets a waiting transaction pass when the baseline turns out to be after it', async () => {
    const gate = new BaselineGate(10n);
    gate.holdFrom(20n);
    const waits = gate.next(30n);
    gate.holdFrom(31n);
    expect(await passes(waits)).toBe(true);
    expect(await passes(gate.next(31n))).toBe(false);
  });
});
