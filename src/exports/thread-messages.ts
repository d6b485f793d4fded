import type { RunOutcome } from './run.js';

/** Data with which the thread of one export is started (worker.ts starts thread.ts). */
export interface ThreadData {
  readonly id: string;
  readonly trailUrl: string;
  readonly exportDir: string;
  readonly logLevel: string;
  /** True if the thread begins with normal priority, until the export proves not to be small. */
  readonly isQuick: boolean;
}

/** The last and only message of the thread. */
export type ThreadResult =
  | { readonly outcome: RunOutcome }
  /** Another attempt may succeed. The log has `code`. */
  | { readonly error: { readonly code: string } };

/** The only message to the thread: it has to end, because the daemon stops. */
export const STOP = 'stop';
