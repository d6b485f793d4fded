import type { Answer } from '../api/answers.js';
import type { EntryFilters } from '../api/filters.js';
import type { ExportFormat } from '../api/requests.js';
import type { WaltrailError } from '../errors.js';
import type { TimeRange } from '../trail/read/range.js';

/** An export as the API shows it. */
export type ExportView = Answer<'Export'>;

export type ExportState = ExportView['state'];

/**
 * Why an export failed or waits, as a problem document (RFC 9457). It has no status, because it is not the
 * answer to the request that shows it.
 */
export type ExportProblem = Pick<Answer<'Problem'>, 'type' | 'title' | 'detail' | 'code' | 'remedy'>;

/** Everything that a worker needs to write the file. */
export interface ExportOrder {
  readonly id: string;
  /** Proves that this run, and no later one, may write the row. */
  readonly claim: string;
  readonly attempts: number;
  readonly format: ExportFormat;
  readonly filters: EntryFilters;
  readonly range: TimeRange;
  readonly timezone: string;
  /** Tenant of the requester, the only one in the file; null: not restricted. */
  readonly tenant: string | null;
  readonly requestedBy: string;
  readonly createdAt: string;
  /** Time up to which the trail was current at the request; null: not known. */
  readonly currentUntil: string | null;
  readonly belowId: string;
  readonly trailLsn: string;
  /** Entries in the range; null: not counted yet. */
  readonly total: number | null;
  readonly kept: Kept | null;
}

/** The durable part of an unfinished file. A later run continues after it. */
export interface Kept {
  /** Claim of the run that wrote it, which is in the file's name. */
  readonly part: string;
  readonly bytes: number;
  /** Id of the last entry in these bytes. The walk continues below it. */
  readonly belowId: string;
  readonly entries: number;
  readonly firstLsn: string | null;
  readonly lastLsn: string | null;
  /** Version of Waltrail. Another version may have other columns. */
  readonly version: string;
}

/** The requester, as the API has authenticated it. */
export interface Requester {
  readonly tokenId: string;
  readonly name: string;
  /** `admin` sees all exports, other roles their own. */
  readonly role: string;
  readonly tenant: string | null;
}

export const isFinal = (state: ExportState): boolean => state !== 'queued' && state !== 'running';

export function problemOf(error: WaltrailError): ExportProblem {
  return {
    type: `urn:waltrail:error:${error.code}`,
    title: PROBLEM_TITLES[error.code] ?? 'The export failed',
    detail: error.message,
    code: error.code,
    remedy: error.remedy,
  };
}

const PROBLEM_TITLES: Readonly<Record<string, string>> = {
  EXPORT_DISK_FULL: 'There is no space left for the file',
  EXPORT_GAVE_UP: 'The export was attempted too often',
  EXPORT_OUT_OF_MEMORY: 'The export needed too much memory',
  EXPORT_QUEUE_UNAVAILABLE: 'The export waits, because the queue of exports does not work',
  EXPORT_STORAGE: 'The export directory cannot be written',
  EXPORT_TOO_LARGE: 'The export is too large for an Excel file',
};
