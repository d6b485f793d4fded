import type { Log } from '../log.js';
import type { Settings } from '../settings.js';
import type { Teardown } from '../teardown.js';
import type { StartOptions } from './start-options.js';

/** Everything that a start needs on its way. Steps add to `teardown` what they have started. */
export interface Boot {
  readonly options: StartOptions;
  readonly settings: Settings;
  readonly log: Log;
  readonly teardown: Teardown;
  readonly say: (text: string) => void;
  /** Aborted once somebody asked to stop; looked at between steps, so that none is torn apart. */
  readonly signal: AbortSignal;
}

export interface Running {
  /**
   * Rejects when something ended without which the daemon cannot go on; null: nothing of that kind was
   * started.
   */
  readonly lost: Promise<void> | null;
}
