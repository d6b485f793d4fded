import type pg from 'pg';
import type { ErrorCode } from '../../errors.js';
import { formatLsn, parseLsn, type Lsn } from '../../pg/lsn.js';
import { quoteLiteral } from '../../pg/quote.js';
import type { Checkpoint } from './checkpoint.js';
import { gapSummary } from '../gap-summary.js';
import { queryTrail } from '../query.js';

/** A stretch of the source's WAL that may hold changes which the trail does not have. */
export interface FoundGap {
  /** What happened; ERROR_CODES says what can be done. */
  readonly code: ErrorCode;
  /** Tables that may lack changes, as `schema.table`; null: every tracked table. */
  readonly tables: readonly string[] | null;
  /** Changes committed from this position on may be missing. */
  readonly fromLsn: Lsn;
  /** Changes committed before this position may be missing; null while it is not known. */
  readonly toLsn: Lsn | null;
}

/**
 * A recorded gap that is still open. Either it is one of the whole stream and capture has not resumed after
 * it, or it is one of tables that are not captured yet.
 */
export interface OpenGap extends FoundGap {
  readonly id: number;
  /**
   * Commit time of the last entry before the gap, as `2026-11-23 20:29:02.027018+00`; null: there is none.
   */
  readonly lastEntryAt: string | null;
  /** Whether an operator has let capture resume, or has acknowledged the gap of a table. */
  readonly accepted: boolean;
  /**
   * Whether no entry records the gap yet: a gap of a table is recorded first, and the writer then stores its
   * entry with the changes.
   */
  readonly untold: boolean;
}

/** One table of which the trail may lack something, and the code that says what. */
export interface Lacking {
  readonly code: ErrorCode;
  readonly table: string;
}

/** Name of the entry that records the end of a gap. */
const GAP_CLOSED_NAME = 'Capture goes on after a gap';

/**
 * Records a gap and its entry, whose name is `name` or else the summary of the gap. Returns false if a gap
 * with the same code and tables is already open.
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

/** Whether a gap concerns the whole stream: only these stop capture. */
export const isOfStream = ({ tables }: Pick<FoundGap, 'tables'>): boolean => tables === null;

/**
 * Records a gap of each table from its position on, without its entry: the writer stores that, with {@link
 * toldStatement}. If a gap of the same table and code is already open, it is returned as it is.
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

/** Returns the statement for the transaction that stores the entry of a gap. */
export const toldStatement = (gap: number, entryId: bigint): string =>
  `select trail.tell_table_gap(${gap}, ${entryId})`;

/**
 * Returns the statement that records a gap which begins and ends at a position, without its entries: for the
 * transaction that stores what was sent there.
 */
export const passedStatement = ({ code, table }: Lacking, lsn: Lsn): string =>
  `select trail.pass_table_gap(${quoteLiteral(code)}, ${quoteLiteral(table)}, '${formatLsn(lsn)}')`;

/**
 * Returns the statement for the transaction that stores the entry with which a gap of tables ends: changes
 * committed from `toLsn` on are not missing.
 */
export const endStatement = (gap: number, toLsn: Lsn): string =>
  `select trail.end_table_gap(${gap}, '${formatLsn(toLsn)}')`;

/** Returns the statement that stores the published state, for the next reading to be compared with. */
export const publishedStatement = ({ state, lsn }: StoredPublished): string =>
  `select trail.remember_published(${quoteLiteral(JSON.stringify(state))}, '${formatLsn(lsn)}')`;

/** Returns the statement that moves the position of the stored published state on. */
export const publishedUntilStatement = (lsn: Lsn): string =>
  `select trail.published_until('${formatLsn(lsn)}')`;

/** Writes the entries of gaps that have none yet. May be called only while there is no writer. */
export async function tellUntold(client: pg.Client, gaps: readonly OpenGap[]): Promise<void> {
  const untold = gaps.filter((gap) => gap.untold);
  if (untold.length === 0) return;
  await queryTrail(
    client,
    /* sql */ `select trail.tell_untold_gap(id, name) from unnest($1::int4[], $2::text[]) as untold (id, name)`,
    [untold.map(({ id }) => id), untold.map(({ code }) => gapSummary(code))],
  );
}

/**
 * Ends a gap of tables, with its entry, whose name is `name`. May be called only while there is no writer.
 */
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
 * Records that changes from `toLsn` on are not missing, because the source is as it should be again. Does
 * nothing if the end of the gap is already known.
 */
export async function endGap(client: pg.Client, gap: OpenGap, toLsn: Lsn): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.end_gap($1, $2)`, [gap.id, formatLsn(toLsn)]);
}

/**
 * Lets capture resume after every open gap of the whole stream, and acknowledges the open gaps of tables.
 * Returns how many were not accepted before.
 */
export async function acceptGaps(client: pg.Client): Promise<number> {
  const rows = await queryTrail<{ accepted: number }>(
    client,
    /* sql */ `select trail.accept_gaps() as accepted`,
  );
  return rows[0]!.accepted;
}

/** Where capture resumes: position, slot and identity of the source. */
export interface NewPosition {
  readonly lsn: Lsn;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly slot: string;
}

/**
 * Moves the checkpoint to where capture resumes and closes the gaps, in the transaction that the caller has
 * begun on `client`. Throws TRAIL_FENCED if the checkpoint is not that of `from`, or if it would be moved
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

/**
 * Stores an entry for a change of the tracking in which nothing was lost. `subject` is the table, or the
 * source.
 */
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
 * Reads the position up to which the source has been without its publication, as the closed gaps of this
 * source say; null: it never was. Changes before that position cannot be read with the publication.
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

/** The published state that was last read in full, in a form that only its reader knows, and its position. */
export interface StoredPublished {
  readonly state: unknown;
  readonly lsn: Lsn;
}

/** Reads the stored published state; undefined if none was stored yet. */
export async function readStoredPublished(client: pg.Client): Promise<StoredPublished | undefined> {
  const rows = await queryTrail<{ state: unknown; lsn: string }>(
    client,
    /* sql */ `select state, lsn::text from trail.published`,
  );
  return rows[0] === undefined ? undefined : { state: rows[0].state, lsn: parseLsn(rows[0].lsn) };
}

/** Stores the published state, for the next reading to be compared with. */
export async function storePublished(client: pg.Client, published: StoredPublished): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.remember_published($1, $2)`, [
    JSON.stringify(published.state),
    formatLsn(published.lsn),
  ]);
}
