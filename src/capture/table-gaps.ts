import type { Lsn } from '../pg/lsn.js';
import type { Catalog } from '../tracking/catalog.js';
import { indexOf } from '../tracking/catalog-index.js';
import { formatTable } from '../tracking/names.js';
import type { PublishedState } from '../tracking/published.js';
import { isWanted } from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { keyOf, lineageOf, nameOf, publishedTables } from '../tracking/tracked.js';
import type { TableTrouble } from '../tracking/troubles.js';
import { isOfStream, type Lacking, type OpenGap } from '../trail/write/gaps.js';
import type { TableGapEnd } from '../trail/write/notices.js';

/**
 * Finds tables whose changes the trail may lack, where no open gap records it yet. Either a trouble lasts, or
 * changes were not sent for a while that has passed and left no trace. Pure.
 *
 * @param options.unpublished tables that were not published for a while since the last look, and may still
 *   not be
 * @param options.rewritten tables whose rows were given other values since; the source sends nothing about
 *   them
 */
export function lackingTables(options: {
  readonly open: readonly OpenGap[];
  readonly troubles: readonly TableTrouble[];
  readonly unpublished: readonly string[];
  readonly rewritten: readonly string[];
}): Lacking[] {
  const known = new Set(
    options.open
      .filter((gap) => !isOfStream(gap))
      .flatMap((gap) => gap.tables!.map((table) => `${gap.code} ${table}`)),
  );
  const lacking = new Map<string, Lacking>();
  for (const { code, table } of [
    ...options.troubles.filter(isGap),
    ...options.unpublished.map(notPublished),
    ...options.rewritten.map(rewritten),
  ]) {
    const key = `${code} ${table}`;
    if (!known.has(key)) lacking.set(key, { code, table });
  }
  return [...lacking.values()];
}

/**
 * Returns open gaps that had ended when they were recorded, because an event trigger has reported where.
 * Pure.
 */
export const passedGaps = (open: readonly OpenGap[]): readonly (OpenGap & { readonly toLsn: Lsn })[] =>
  open.flatMap((gap) => (isOfStream(gap) || gap.toLsn === null ? [] : [{ ...gap, toLsn: gap.toLsn }]));

/** A gap that has ended, and why. */
export interface EndedGap {
  readonly gap: OpenGap;
  readonly end: TableGapEnd;
  /** Oids of its tables that exist. Transactions that write these have to end before the gap does. */
  readonly oids: readonly string[];
}

/**
 * Returns open gaps of tables that have ended. A gap of a table stops nothing and ends automatically. It
 * lasts while its table exists, is wanted and is not captured completely, whatever the present reason is.
 * Pure.
 *
 * @param options.published with the names under which renamed tables are known
 */
export function endedGaps(options: {
  readonly open: readonly OpenGap[];
  readonly troubles: readonly TableTrouble[];
  readonly published: PublishedState;
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): EndedGap[] {
  const { troubles } = options;
  const untroubled = options.open.filter(
    (gap) => !isOfStream(gap) && !troubles.some((trouble) => keepsOpen(gap, trouble)),
  );
  if (untroubled.length === 0) return [];
  const captured = capturedTables(options);
  return untroubled.flatMap((gap) => {
    const ends = gap.tables!.map((table) => (captured.has(table) ? 'captured' : lost(table, options)));
    const [end = null] = ends;
    if (end === null || ends.includes(null)) return [];
    return [{ gap, end, oids: gap.tables!.flatMap((table) => oidOf(table, options) ?? []) }];
  });
}

/** Returns the oid of a table by its name, or by the name under which a renamed table is known. */
function oidOf(table: string, { catalog, published }: Parameters<typeof endedGaps>[0]): string | undefined {
  const renamed = Object.entries(published.tables).find(
    ([, { knownAs }]) => knownAs !== undefined && formatTable(knownAs) === table,
  );
  return renamed?.[0] ?? indexOf(catalog).tables.get(table)?.oid;
}

/**
 * True if the trail lacks changes because of a trouble. Other troubles only leave a label unknown to the
 * reader, or refuse writes of the application.
 */
const isGap = ({ code }: TableTrouble): boolean =>
  code === 'SOURCE_PUBLICATION_INCOMPLETE' ||
  code === 'SOURCE_REPLICA_IDENTITY' ||
  code === 'TRACKING_CHILD_UNTRACKED';

const notPublished = (table: string): Lacking => ({ code: 'SOURCE_PUBLICATION_INCOMPLETE', table });

/** Returns the gap of a table whose rows were given other values. None of these values was sent. */
export const rewritten = (table: string): Lacking => ({ code: 'SOURCE_TABLE_REWRITTEN', table });

/**
 * True if a trouble keeps a gap open: nothing of the table is captured, or the cause of the gap lasts. While
 * writes to a table are refused, its identity has still to be changed.
 */
function keepsOpen(gap: OpenGap, trouble: TableTrouble): boolean {
  if (gap.tables?.includes(trouble.table) !== true) return false;
  if (isGap(trouble) && (trouble.code === gap.code || trouble.effect === 'not captured')) return true;
  return gap.code === 'SOURCE_REPLICA_IDENTITY' && trouble.code === 'SOURCE_WRITES_REFUSED';
}

/**
 * Returns the names, including earlier ones, of tables that the publication should and can have. If a table
 * has no trouble, the publication has it.
 */
function capturedTables({
  config,
  catalog,
  published,
}: Parameters<typeof endedGaps>[0]): ReadonlySet<string> {
  const renamed = Object.values(published.tables).flatMap(({ knownAs }) => knownAs ?? []);
  return new Set([
    ...publishedTables(config, catalog).flatMap(({ key, partitions }) => [key, ...partitions.map(keyOf)]),
    ...renamed.map(formatTable),
  ]);
}

/**
 * Returns why a table is no longer captured. Null: it exists and is wanted, but cannot be captured, as after
 * `set unlogged`.
 */
function lost(table: string, { config, catalog }: Parameters<typeof endedGaps>[0]): TableGapEnd | null {
  const found = indexOf(catalog).tables.get(table);
  if (found === undefined) return 'gone';
  const wanted = lineageOf(found, catalog).some((member) => isWanted(config, nameOf(member)));
  return wanted ? null : 'untracked';
}
