import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

type Row = Record<string, string | number | null>;
const TARGETS = path.resolve(import.meta.dirname, '../bench/targets.mjs');
const RESULTS = path.resolve(import.meta.dirname, '../bench/results');
const { judge } = (await import(TARGETS)) as {
  judge: (bench: string, run: { rows: Row[]; options: Record<string, number> }) => Row[];
};

const latency = ({ low, high, pace = 1_667 }: { low: number; high: number; pace?: number }): Row[] => [
  { load: '10 transactions/s', 'transactions/s': 10, 'p99 ms': low },
  { load: '5,000 changes/s', 'transactions/s': pace, 'p99 ms': high },
];
const reached = (rows: Row[]) => rows.map((row) => row['reached']);

describe('the targets of the benches', () => {
  it('are reached by a figure at the limit, and missed by one beyond it', () => {
    const options = { seconds: 15 };
    expect(reached(judge('latency', { rows: latency({ low: 8, high: 50 }), options }))).toEqual([
      'aim',
      'must',
    ]);
    expect(reached(judge('latency', { rows: latency({ low: 8.01, high: 50.1 }), options }))).toEqual([
      'must',
      'missed',
    ]);
  });

  it('count more as better where they say so', () => {
    const rows = (kept: number): Row[] => [{ audit: 'Waltrail', kept, 'stored at the end %': 99 }];
    const verdict = (kept: number) =>
      reached(judge('writer', { rows: rows(kept), options: { seconds: 20 } }));
    expect([0.69, 0.7, 0.8].flatMap(verdict)).toEqual(['missed', 'must', 'aim']);
  });

  it('judge the slowest of several rows', () => {
    const rows: Row[] = [
      { what: 'first page: modifier', 'p99 ms': 26 },
      { what: 'first page: type + action', 'p99 ms': 3 },
      { what: 'first page: no filter', 'p99 ms': 99 },
    ];
    const [slowest] = judge('pages', { rows, options: { entries: 10_000_000 } });
    expect(slowest).toMatchObject({ measured: 26, reached: 'missed', remark: null });
  });

  it('are not reached if nothing was measured, or only under another load', () => {
    const rows = latency({ low: 1, high: 1, pace: 841 });
    expect(reached(judge('latency', { rows: rows.slice(1), options: { seconds: 15 } }))).toEqual([
      'not measured',
      'does not count',
    ]);
  });

  it('mark a run with a smaller load', () => {
    const [low] = judge('latency', { rows: latency({ low: 1, high: 1 }), options: { seconds: 4 } });
    expect(low?.['remark']).toBe('smaller than {"seconds":15}');
  });

  it('have a measured figure in every committed result', () => {
    const files = readdirSync(RESULTS, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.json'),
    );
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const { bench, rows, options, targets } = JSON.parse(
        readFileSync(path.join(RESULTS, file), 'utf8'),
      ) as { bench: string; rows: Row[]; options: Record<string, number>; targets?: Row[] };
      // Results from before targets existed have none.
      if (targets === undefined) continue;
      const judged = judge(bench, { rows, options });
      expect(judged.filter((row) => row['measured'] === null)).toEqual([]);
      expect(targets.map(({ target }) => target)).toEqual(judged.map(({ target }) => target));
    }
  });
});
