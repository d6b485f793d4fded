import type pg from 'pg';
import type { ErrorCode } from '../../errors.js';
import { formatLsn, parseLsn, type Lsn } from '../../pg/lsn.js';
import { quoteLiteral } from '../../pg/quote.js';
import type { Checkpoint } from './checkpoint.js';
import { gapSummary } from '../gap-summary.js';
import { queryTrail } from '../query.js';

/** A stretch of the source's WAL. The trail may lack changes from it. */
export interface FoundGap {
  /** Code of the cause. ERROR_CODES has its remedy. */
  readonly code: ErrorCode;
  /** Tables that may lack changes, as `schema.table`; null: every tracked table. */
  readonly tables: readonly string[] | null;
  /** Changes committed from this position on may be missing. */
  readonly fromLsn: Lsn;
  /** Changes committed before this position may be missing; null while the position is not known. */
  readonly toLsn: Lsn | null;
}

/**
 * A recorded gap that is still open. A gap of the whole stream is open until capture resumes after it. A gap
 * of tables is open until the tables are captured again, or are no longer tracked.
 */
export interface OpenGap extends FoundGap {
  readonly id: number;
  /**
   * Commit time of the last entry before the gap, such as `2026-11-23 20:29:02.027018+00`; null: there is
   * none.
   */
  readonly lastEntryAt: string | null;
  /**
   * Whether an operator has accepted a gap of the whole stream, so that capture resumes, or has acknowledged
   * a gap of tables.
   */
  readonly accepted: boolean;
  /**
   * Whether no entry records the gap yet. A gap of a table is recorded first. The writer stores its entry
   * later, among the changes.
   */
  readonly untold: boolean;
}

/** A table for which the trail may be incomplete, with the code of the reason. */
export interface Lacking {
  readonly code: ErrorCode;
  readonly table: string;
}

/** Name of the entry that records the end of a gap. */
const GAP_CLOSED_NAME = 'Capture resumes after a gap';

/**
 * Records a gap and its entry. The name of the entry is `name`, or by default the summary of the gap. Returns
 * false if a gap with the same code and tables is already open.
 */
export async function openGap(
  client: pg.Client,
  gap: FoundGap & { readonly name?: string },
): Promise<boolean> {
  const rows = await queryTrail<{ opened: boolean }>(
    client,
    /* sql */ `select trail.open_gap($1, $2, $3, $4, $5) as opened`,
    [
      gap.code,
      gap.name ?? gapSummary(gap.code),
      gap.tables,
      formatLsn(gap.fromLsn),
      gap.toLsn === null ? null : formatLsn(gap.toLsn),
    ],
  );
  return rows[0]!.opened;
}

/** Reads the open gaps, oldest first. */
export async function readOpenGaps(client: pg.Client): Promise<OpenGap[]> {
  const rows = await queryTrail<OpenGapRow>(
    client,
    /* sql */ `select ${OPEN_GAP_COLUMNS} from trail.gap where closed_at is null order by id`,
  );
  return rows.map(openGapOf);
}

interface OpenGapRow {
  readonly id: number;
  readonly code: string;
  readonly tables: string[] | null;
  readonly from_lsn: string;
  readonly to_lsn: string | null;
  readonly last_entry_at: string | null;
  readonly accepted: boolean;
  readonly untold: boolean;
}

const OPEN_GAP_COLUMNS = /* sql */ `id, code, tables, from_lsn::text, to_lsn::text,
  pg_catalog.to_char(last_entry_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US+00') as last_entry_at,
  accepted_at is not null as accepted, entry_id = 0 as untold`;

const openGapOf = ({ code, from_lsn, to_lsn, last_entry_at, ...gap }: OpenGapRow): OpenGap => ({
  ...gap,
  code: code as ErrorCode,
  fromLsn: parseLsn(from_lsn),
  toLsn: to_lsn === null ? null : parseLsn(to_lsn),
  lastEntryAt: last_entry_at,
});

/** Returns whether a gap concerns the whole stream. Only such gaps stop capture. */
export const isOfStream = ({ tables }: Pick<FoundGap, 'tables'>): boolean => tables === null;

/**
 * Records a gap of each table, which begins at the given position. The writer stores its entry later, with
 * {@link toldStatement}. If a gap with the same table and code is already open, that gap is returned
 * unchanged.
 */
export async function beginTableGaps(
  client: pg.Client,
  { lacking, fromLsn }: { readonly lacking: readonly Lacking[]; readonly fromLsn: (table: string) => Lsn },
): Promise<OpenGap[]> {
  const gaps: OpenGap[] = [];
  for (const from of new Set(lacking.map(({ table }) => fromLsn(table)))) {
    const here = lacking.filter(({ table }) => fromLsn(table) === from);
    const rows = await queryTrail<OpenGapRow>(
      client,
      /* sql */ `select ${OPEN_GAP_COLUMNS} from trail.begin_table_gaps($1, $2, $3) order by id`,
      [here.map(({ code }) => code), here.map(({ table }) => table), formatLsn(from)],
    );
    gaps.push(...rows.map(openGapOf));
  }
  return gaps;
}

/**
 * Returns the statement that notes which entry records a gap. It belongs in the transaction that stores the
 * entry.
 */
export const toldStatement = (gap: number, entryId: bigint): string =>
  `select trail.tell_table_gap(${gap}, ${entryId})`;

/**
 * Returns the statement that records a gap which begins and ends at one position. It stores no entries. It
 * belongs in the transaction that stores the changes sent at that position.
 */
export const passedStatement = ({ code, table }: Lacking, lsn: Lsn): string =>
  `select trail.pass_table_gap(${quoteLiteral(code)}, ${quoteLiteral(table)}, '${formatLsn(lsn)}')`;

/**
 * Returns the statement that ends a gap of tables: changes committed from `toLsn` on are not missing. It
 * belongs in the transaction that stores the entry of the gap's end.
 */
export const endStatement = (gap: number, toLsn: Lsn): string =>
  `select trail.end_table_gap(${gap}, '${formatLsn(toLsn)}')`;

/** Returns the statement that stores the published state. The next reading is compared with it. */
export const publishedStatement = ({ state, lsn }: StoredPublished): string =>
  `select trail.remember_published(${quoteLiteral(JSON.stringify(state))}, '${formatLsn(lsn)}')`;

/** Returns the statement that moves the position of the stored published state to `lsn`. */
export const publishedUntilStatement = (lsn: Lsn): string =>
  `select trail.published_until('${formatLsn(lsn)}')`;

/** Stores entries for the gaps that have none yet. Call it only while there is no writer. */
export async function tellUntold(client: pg.Client, gaps: readonly OpenGap[]): Promise<void> {
  const untold = gaps.filter((gap) => gap.untold);
  if (untold.length === 0) return;
  await queryTrail(
    client,
    /* sql */ `select trail.tell_untold_gap(id, name) from unnest($1::int4[], $2::text[]) as untold (id, name)`,
    [untold.map(({ id }) => id), untold.map(({ code }) => gapSummary(code))],
  );
}

/** Ends a gap of tables, with an entry that has the given name. Call it only while there is no writer. */
export async function closeTableGap(
  client: pg.Client,
  gap: OpenGap,
  { toLsn, name }: { readonly toLsn: Lsn; readonly name: string },
): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.close_table_gap($1, $2, $3)`, [
    gap.id,
    name,
    formatLsn(toLsn),
  ]);
}

/**
 * Records that changes from `toLsn` on are not missing, because the state of the source is correct again.
 * Does nothing if the end of the gap is already known.
 */
export async function endGap(client: pg.Client, gap: OpenGap, toLsn: Lsn): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.end_gap($1, $2)`, [gap.id, formatLsn(toLsn)]);
}

/**
 * Accepts every open gap of the whole stream, so that capture resumes, and acknowledges every open gap of
 * tables. Returns the number of gaps that were not accepted before.
 */
export async function acceptGaps(client: pg.Client): Promise<number> {
  const rows = await queryTrail<{ accepted: number }>(
    client,
    /* sql */ `select trail.accept_gaps() as accepted`,
  );
  return rows[0]!.accepted;
}

/** Position, slot and source identity with which capture resumes. */
export interface NewPosition {
  readonly lsn: Lsn;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly slot: string;
}

/**
 * Moves the checkpoint to the position where capture resumes, and closes the gaps. The caller must have begun
 * a transaction on `client`. Throws TRAIL_FENCED if the checkpoint differs from `from`, or if it would move
 * without a gap.
 */
export async function goOnAt(
  client: pg.Client,
  options: { readonly from: Checkpoint; readonly to: NewPosition; readonly gaps: readonly OpenGap[] },
): Promise<void> {
  const { from, to, gaps } = options;
  await queryTrail(client, /* sql */ `select trail.adopt_source($1, $2, $3, $4, $5)`, [
    formatLsn(from.endLsn),
    formatLsn(to.lsn),
    to.systemIdentifier,
    to.timeline,
    to.slot,
  ]);
  if (gaps.length === 0) return;
  await queryTrail(client, /* sql */ `select trail.close_gaps($1, $2, $3)`, [
    gaps.map(({ id }) => id),
    formatLsn(to.lsn),
    GAP_CLOSED_NAME,
  ]);
}

/** Stores an entry for a change of tracking that lost no changes. `subject` is the table or the source. */
export async function recordTracking(
  client: pg.Client,
  change: { readonly subject: string; readonly before: string; readonly after: string; readonly lsn: Lsn },
): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.record_tracking($1, $2, $3, $4)`, [
    change.subject,
    change.before,
    change.after,
    formatLsn(change.lsn),
  ]);
}

/**
 * Reads the position up to which the source lacked its publication, according to the closed gaps of this
 * source. Returns null if it never lacked the publication. Changes before that position cannot be read with
 * the publication.
 */
export async function readMissingUntil(client: pg.Client): Promise<Lsn | null> {
  const rows = await queryTrail<{ lsn: string | null }>(
    client,
    /* sql */ `select max(to_lsn)::text as lsn from trail.gap where code = 'SOURCE_PUBLICATION_MISSING' and closed_at is not null
                    -- positions of another cluster mean nothing
                    and id > coalesce((select max(id) from trail.gap where code = 'SOURCE_CHANGED'), 0)`,
  );
  return rows[0]!.lsn === null ? null : parseLsn(rows[0]!.lsn);
}

/**
 * The published state that was last read completely, with its position. Only its reader knows the form of
 * `state`.
 */
export interface StoredPublished {
  readonly state: unknown;
  readonly lsn: Lsn;
}

/** Reads the stored published state. Returns undefined if none was stored yet. */
export async function readStoredPublished(client: pg.Client): Promise<StoredPublished | undefined> {
  const rows = await queryTrail<{ state: unknown; lsn: string }>(
    client,
    /* sql */ `select state, lsn::text from trail.published`,
  );
  return rows[0] === undefined ? undefined : { state: rows[0].state, lsn: parseLsn(rows[0].lsn) };
}

/** Stores the published state. The next reading is compared with it. */
export async function storePublished(client: pg.Client, published: StoredPublished): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.remember_published($1, $2)`, [
    JSON.stringify(published.state),
    formatLsn(published.lsn),
  ]);
}
