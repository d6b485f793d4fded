import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaltrailError } from '../errors.js';
import { close, connect } from '../pg/connect.js';
import { lookAtPublished, type PublishedLook } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { rememberLook } from '../trail/gaps.js';
import { takeRole } from '../trail/roles.js';

/** Short enough that a publication that is gone is in the trail within five seconds, with what follows a look. */
const LOOK_MS = 2_000;
/** How often the last good look is stored: where the daemon is killed, a gap is said to begin at the stored one. */
const REMEMBER_MS = 60_000;

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
  /** The last look that found the state unchanged, and the one before, whose position is surely behind it. */
  #good: PublishedLook;
  #before: PublishedLook;
  #remembered: PublishedLook;
  #rememberedAt = performance.now();

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#good = this.#before = this.#remembered = options.published;
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
      } catch {
        // Trouble with this connection says nothing about the stream, and the stream says when the source is gone.
        await this.#disconnect();
      }
    }
    await this.#disconnect();
  }

  /** Stores where the last good look was, if it moved. Never rejects: then a gap would be said to begin earlier. */
  async remember(): Promise<void> {
    this.#rememberedAt = performance.now();
    if (this.#remembered.lsn === this.#before.lsn) return;
    try {
      const client = await connect({
        url: this.#options.config.trail.url,
        purpose: 'watch',
        statementTimeoutMs: 1_000,
      });
      try {
        await takeRole(client, 'waltrail_writer');
        await rememberLook(client, this.#before);
        this.#remembered = this.#before;
      } finally {
        await close(client);
      }
    } catch {
      // The next one will.
    }
  }

  /** False where the state is another. */
  async #look(): Promise<boolean> {
    const { config, signal } = this.#options;
    const { url, publication } = config.source;
    this.#client ??= await connect({ url, purpose: 'watch', statementTimeoutMs: LOOK_MS, signal });
    const look = await lookAtPublished(this.#client, publication);
    if (JSON.stringify(look.state) !== this.#state) return false;
    this.#before = this.#good;
    this.#good = look;
    return true;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await close(client);
  }
}
