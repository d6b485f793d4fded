import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect } from '../pg/connect.js';
import { lookAtPublished, type PublishedLook } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { rememberLook } from '../trail/gaps.js';
import { takeRole } from '../trail/roles.js';

/** Short enough that a publication that is gone is in the trail within five seconds, with what follows a look. */
const LOOK_MS = 2_000;
/** How often the last good look is stored: where the daemon is killed, a gap is said to begin at the stored one. */
const REMEMBER_MS = 60_000;
/** Looks that failed one after the other, after which the log says so: half a minute and more. */
const FAILURES_TO_TELL = 15;

export interface Watch {
  /** Ends looking, and stores the last good look. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Looks every other second whether the publication and its tables are as they were when the session began. The stream
 * does not say that a table was renamed or taken out of the publication; its changes just stop coming.
 */
export function watchPublished(options: {
  readonly config: TrackingConfig;
  readonly log: Log;
  readonly published: PublishedLook;
  /** Called once, when they are not: capture then compares source and trail again. */
  readonly changed: (error: WaltrailError) => void;
}): Watch {
  const abort = new AbortController();
  const watcher = new Watcher({ ...options, signal: abort.signal });
  const running = watcher.run();
  return {
    stop: async () => {
      abort.abort();
      await running;
      await watcher.remember();
    },
  };
}

type WatcherOptions = Parameters<typeof watchPublished>[0] & { readonly signal: AbortSignal };

class Watcher {
  readonly #options: WatcherOptions;
  readonly #state: string;
  #client: pg.Client | undefined;
  /** The last good look whose position is surely covered by it. */
  #sure: PublishedLook;
  /** A later good look, until the transactions have ended that ran at it: one of them may be in the WAL already. */
  #unsure: { readonly look: PublishedLook; readonly running: readonly string[] } | undefined;
  #remembered: PublishedLook;
  #rememberedAt = performance.now();
  #failures = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#sure = this.#remembered = options.published;
    this.#state = JSON.stringify(options.published.state);
  }

  async run(): Promise<void> {
    const { signal, changed } = this.#options;
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      try {
        if (!(await this.#look())) {
          changed(
            new WaltrailError('SOURCE_LOOK_AGAIN', 'The publication or one of its tables has changed.'),
          );
          break;
        }
        if (performance.now() - this.#rememberedAt > REMEMBER_MS) await this.remember();
        this.#failures = 0;
      } catch (error) {
        // Trouble with this connection says nothing about the stream, and the stream says when the source is gone.
        await this.#disconnect();
        if (++this.#failures === FAILURES_TO_TELL && !signal.aborted)
          this.#options.log.warn(
            { code: codeOf(error) },
            'The publication cannot be looked at: a table that is taken out of it would be noticed late.',
          );
      }
    }
    await this.#disconnect();
  }

  /** Stores where the last good look was, if it moved. Never rejects: then a gap would be said to begin earlier. */
  async remember(): Promise<void> {
    this.#rememberedAt = performance.now();
    if (this.#remembered.lsn === this.#sure.lsn) return;
    try {
      const client = await connect({
        url: this.#options.config.trail.url,
        purpose: 'watch',
        statementTimeoutMs: 1_000,
      });
      try {
        await takeRole(client, 'waltrail_writer');
        const sure = this.#sure;
        await rememberLook(client, sure);
        this.#remembered = sure;
      } finally {
        await close(client);
      }
    } catch {
      // The next one will.
    }
  }

  /**
   * False where the state is another. The order matters: position, running transactions, state. A change of the
   * publication that is in the WAL before the position and not in the state belongs to one of those transactions; once
   * they have ended and the state is still the same, there was none.
   */
  async #look(): Promise<boolean> {
    const { config, signal } = this.#options;
    const { url, publication } = config.source;
    this.#client ??= await connect({ url, purpose: 'watch', statementTimeoutMs: LOOK_MS, signal });
    const { running, ...look } = await lookAtPublished(this.#client, publication);
    if (JSON.stringify(look.state) !== this.#state) return false;
    const unsure = this.#unsure;
    if (unsure === undefined || !unsure.running.some((xid) => running.includes(xid))) {
      this.#sure = unsure?.look ?? this.#sure;
      this.#unsure = { look, running };
    }
    return true;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await close(client);
  }
}
