import type { RunOutcome } from './run.js';

/** What the thread of one export is started with (worker.ts starts it, thread.ts is it). */
export interface ThreadData {
  readonly id: string;
  readonly trailUrl: string;
  readonly exportDir: string;
  readonly logLevel: string;
  /** Whether it begins with the priority of everything else, for as long as it may be a small one. */
  readonly isQuick: boolean;
}

/** The last and only message of the thread. */
export type ThreadResult =
  | { readonly outcome: RunOutcome }
  /** Worth another attempt. `code` says what happened to whoever reads the log. */
  | { readonly error: { readonly code: string } };

/** The only message to the thread: end, the daemon stops. */
export const STOP = 'stop';
