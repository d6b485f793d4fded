import type pg from 'pg';

/** Figures of the exports that the trail holds. */
export interface ExportFigures {
  /** Number of exports in each state. */
  readonly states: Readonly<Record<string, number>>;
  /** Durations of the exports that are ready, from the start of the run to the finished file. */
  readonly seconds: { readonly sum: number; readonly max: number };
}

/** Reads the figures from `trail.export`. */
export async function readExportFigures(pool: pg.Pool): Promise<ExportFigures> {
  const { rows } = await pool.query<{
    state: string;
    count: number;
    sum: number | null;
    max: number | null;
  }>(/* sql */ `select state, count(*)::int as count,
                      sum(extract(epoch from finished_at - started_at))::float8 as sum,
                      max(extract(epoch from finished_at - started_at))::float8 as max
                 from trail.export group by state`);
  const ready = rows.find((row) => row.state === 'ready');
  return {
    states: Object.fromEntries(rows.map((row) => [row.state, row.count])),
    seconds: { sum: ready?.sum ?? 0, max: ready?.max ?? 0 },
  };
}
