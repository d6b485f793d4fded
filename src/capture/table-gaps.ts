import type { ErrorCode } from '../errors.js';
import type { TableTrouble } from '../tracking/troubles.js';
import { isOfStream, type OpenGap } from '../trail/gaps.js';

/** One table of which the trail may lack something, and the code that says what. */
export interface Lacking {
  readonly code: ErrorCode;
  readonly table: string;
}

/** What the log says of a gap, with its code, tables and beginning. */
export const GAP_FOUND = 'A gap was found and recorded as an entry of the trail.';

/** What has to be recorded about gaps of named tables. */
export interface TableGapChanges {
  /** Gaps that are not recorded yet: those that last, and those that are over already, of which the source kept no trace. */
  readonly begun: readonly Lacking[];
  /** Recorded gaps whose tables are as they should be again. */
  readonly over: readonly OpenGap[];
}

/**
 * Compares what is recorded about tables with what the source looks like. Pure. A gap of a table stops nothing and ends by
 * itself: when its table is captured whole again, is gone, or is wanted no more.
 *
 * @param options.unpublished tables that were not published for a while since the last look, and perhaps still are not
 */
export function tableGapChanges(options: {
  readonly open: readonly OpenGap[];
  readonly troubles: readonly TableTrouble[];
  readonly unpublished: readonly string[];
}): TableGapChanges {
  const open = options.open.filter((gap) => !isOfStream(gap));
  const lasting = options.troubles.filter(isGap).map(({ code, table }): Lacking => ({ code, table }));
  const passing = options.unpublished.map((table): Lacking => ({
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    table,
  }));
  const begun = new Map<string, Lacking>();
  for (const lacking of [...lasting, ...passing])
    if (!open.some((gap) => isAbout(gap, lacking))) begun.set(`${lacking.code} ${lacking.table}`, lacking);
  return {
    begun: [...begun.values()],
    over: open.filter((gap) => !lasting.some((lacking) => isAbout(gap, lacking))),
  };
}

/** Whether the trail lacks something because of it, and not only the reader a word or the application a right. */
const isGap = ({ code }: TableTrouble): boolean =>
  code === 'SOURCE_PUBLICATION_INCOMPLETE' || code === 'SOURCE_REPLICA_IDENTITY';

const isAbout = (gap: OpenGap, { code, table }: Lacking): boolean =>
  gap.code === code && (gap.tables?.includes(table) ?? false);
