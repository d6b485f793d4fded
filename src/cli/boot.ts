import type { Log } from '../log.js';
import type { Daemon } from '../main.js';
import type { Settings } from '../settings.js';
import type { Teardown } from '../teardown.js';
import type { StartOptions } from './start-options.js';

/** Everything that the steps of a start need. Each step adds to `teardown` what it has started. */
export interface Boot {
  readonly options: StartOptions;
  readonly settings: Settings;
  readonly log: Log;
  readonly teardown: Teardown;
  readonly say: (text: string) => void;
  /** Aborted once a stop is requested. It is checked between steps, so that no step is left half done. */
  readonly signal: AbortSignal;
  /** Lets SIGHUP reload the daemon that has started. */
  readonly onReload: (daemon: Reloading) => void;
}

/** The part of the daemon that a reload is requested from. */
export type Reloading = Pick<Daemon, 'reload'>;

export interface Running {
  /**
   * Rejects when something ends that the daemon cannot continue without. Null if nothing of that kind was
   * started.
   */
  readonly lost: Promise<void> | null;
}
