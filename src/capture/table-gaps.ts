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
 * Tables of which the trail may lack something that no open gap says yet: for as long as their trouble lasts,
 * or for a while that is over and left no trace. Pure.
 *
 * @param options.unpublished tables that were not published for a while since the last look, and perhaps
 *   still are not
 * @param options.rewritten tables whose rows were given other values since, of which nothing is sent
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

/** Open gaps that had ended when they were recorded: an event trigger has reported where. Pure. */
export const passedGaps = (open: readonly OpenGap[]): readonly (OpenGap & { readonly toLsn: Lsn })[] =>
  open.flatMap((gap) => (isOfStream(gap) || gap.toLsn === null ? [] : [{ ...gap, toLsn: gap.toLsn }]));

/** A gap that has ended, and why. */
export interface EndedGap {
  readonly gap: OpenGap;
  readonly end: TableGapEnd;
  /** Oids of its tables, as far as they are there: who writes them has to end before the gap does. */
  readonly oids: readonly string[];
}

/**
 * Open gaps of tables that have ended: a gap of a table stops nothing and ends by itself. It lasts while its
 * table is there, is wanted and is not captured whole, whatever the reason is by now. Pure.
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

/** By its name, or by the one under which a renamed table is known. */
function oidOf(table: string, { catalog, published }: Parameters<typeof endedGaps>[0]): string | undefined {
  const renamed = Object.entries(published.tables).find(
    ([, { knownAs }]) => knownAs !== undefined && formatTable(knownAs) === table,
  );
  return renamed?.[0] ?? indexOf(catalog).tables.get(table)?.oid;
}

/**
 * Whether the trail lacks something because of it, and not only the reader a word or the application a right.
 */
const isGap = ({ code }: TableTrouble): boolean =>
  code === 'SOURCE_PUBLICATION_INCOMPLETE' ||
  code === 'SOURCE_REPLICA_IDENTITY' ||
  code === 'TRACKING_CHILD_UNTRACKED';

const notPublished = (table: string): Lacking => ({ code: 'SOURCE_PUBLICATION_INCOMPLETE', table });

/** Rows of the table were given other values, and none was sent. */
export const rewritten = (table: string): Lacking => ({ code: 'SOURCE_TABLE_REWRITTEN', table });

/**
 * Nothing of the table is captured, or what the gap is about is still so: where its writes are refused, its
 * identity has to change.
 */
function keepsOpen(gap: OpenGap, trouble: TableTrouble): boolean {
  if (gap.tables?.includes(trouble.table) !== true) return false;
  if (isGap(trouble) && (trouble.code === gap.code || trouble.effect === 'not captured')) return true;
  return gap.code === 'SOURCE_REPLICA_IDENTITY' && trouble.code === 'SOURCE_WRITES_REFUSED';
}

/** Names, also earlier ones, of what the publication has to hold and can hold. Without a trouble, it does. */
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

/** Null: it is there and wanted, and cannot be captured as it is, as when it was set unlogged. */
function lost(table: string, { config, catalog }: Parameters<typeof endedGaps>[0]): TableGapEnd | null {
  const found = indexOf(catalog).tables.get(table);
  if (found === undefined) return 'gone';
  const wanted = lineageOf(found, catalog).some((member) => isWanted(config, nameOf(member)));
  return wanted ? null : 'untracked';
}
