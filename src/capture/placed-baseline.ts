import type { Log } from '../log.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import type { BaselineOfTable, PlacedBaseline } from '../pipeline/baseline.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import { membersOf, type BaselineTable } from '../tracking/baseline.js';
import { baselineStatement, type WantedBaseline } from '../trail/write/baselines.js';
import { trackingNotice } from '../trail/write/notices.js';
import type { BaselineAttempts } from './baseline-attempts.js';
import { MOST_BASELINE_BYTES, type ReadTable, type RowsRead } from './read-baseline.js';

/** Rows that were read, and the position that they were read at. */
export interface TakenBaseline {
  readonly lsn: Lsn;
  readonly read: RowsRead;
  /** Time up to which gaps were considered, by the clock of the trail. */
  readonly askedAt: string;
}

/** Returns a table in the form in which the trail is asked for its baseline. */
export const wantedBaseline = (table: BaselineTable): WantedBaseline => ({
  table: table.key,
  oid: table.table.oid,
  maxRows: table.maxRows,
  members: membersOf(table),
});

/**
 * Has the pipeline store rows that were read, and logs the outcome.
 *
 * @param options.stored called when the baseline is durable; never called if the session ends before
 */
export function placeBaseline(options: {
  readonly taken: TakenBaseline;
  readonly pipeline: Pick<Pipeline, 'place'>;
  readonly log: Log;
  readonly attempts: BaselineAttempts;
  readonly stored: () => void;
}): void {
  const { taken, pipeline, log, attempts } = options;
  const { tables } = taken.read;
  for (const read of tables)
    if (read.outcome === 'not read')
      log.warn(
        {
          table: read.table.key,
          relation: read.unread.table,
          reason: read.unread.reason,
          remedy: read.unread.remedy,
        },
        'A table has no baseline yet, because its rows could not be read. Waltrail tries again.',
      );
  pipeline.place(
    placedBaseline(taken, () => {
      for (const { table, outcome } of tables) {
        if (outcome === 'not read') continue;
        attempts.done(table.key);
        const at = { table: table.key, lsn: formatLsn(taken.lsn) };
        if (outcome === 'taken') log.info(at, 'The baseline of a table is taken.');
        else
          log.warn(
            { ...at, outcome, maxRows: table.maxRows },
            'A table has no baseline, because it is too large for one.',
          );
      }
      options.stored();
    }),
  );
}

/**
 * Returns what the pipeline stores: the entries of the rows that were read and, for each table, a notice. For
 * a table that is too large, it stores only the notice.
 */
const placedBaseline = (taken: TakenBaseline, stored: () => void): PlacedBaseline => ({
  baseline: {
    lsn: taken.lsn,
    at: taken.read.at,
    tables: taken.read.tables.flatMap((read): BaselineOfTable[] =>
      read.outcome === 'not read' ? [] : [ofTable(read, taken)],
    ),
  },
  stored,
});

function ofTable(
  read: Exclude<ReadTable, { readonly outcome: 'not read' }>,
  { lsn, askedAt }: TakenBaseline,
): BaselineOfTable {
  const { table, outcome } = read;
  const wanted = wantedBaseline(table);
  return {
    read: outcome === 'taken' ? read : null,
    told: (entries) => ({
      notice: trackingNotice({
        subject: table.key,
        before: 'no baseline',
        after: afterwards(outcome, { entries, maxRows: table.maxRows }),
        lsn,
      }),
      statement: baselineStatement({ table: wanted, outcome, entries, lsn, askedAt }),
    }),
  };
}

function afterwards(
  outcome: Exclude<ReadTable['outcome'], 'not read'>,
  { entries, maxRows }: { readonly entries: number; readonly maxRows: number },
): string {
  switch (outcome) {
    case 'taken':
      return `baseline of ${entries} ${entries === 1 ? 'row' : 'rows'}`;
    case 'too many rows':
      return `no baseline: more than ${maxRows} rows`;
    case 'too many bytes':
      return `no baseline: its rows have more than ${MOST_BASELINE_BYTES / 1024 / 1024} MiB`;
  }
}
