import type { Log } from '../log.js';
import type { Lsn } from '../pg/lsn.js';
import { isBehind, type MessagePlace } from '../pipeline/message-place.js';
import type { ConfigurationMessage } from '../pipeline/transaction-recorder.js';
import type { Catalog } from '../tracking/catalog.js';
import { isPrepared, sameTables } from '../tracking/configuration-tables.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { withSlot } from '../tracking/slot-name.js';
import type { Adoption } from '../trail/write/configuration.js';

/** The announcement that a configuration begins at a position of the stream. */
export interface Announced {
  readonly digest: string;
  /**
   * End of the last transaction before it. Once the checkpoint has reached this, the configuration is in
   * effect.
   */
  readonly afterLsn: Lsn;
  readonly how: Adoption;
}

/** The origin of a configuration that the stream has not announced. */
export interface Asked {
  readonly how: Adoption;
  /** Account of the operator; null: not known. */
  readonly by: string | null;
}

/** Why the configuration of the file is not in effect; null: it is. */
export type Waiting = 'apply' | 'position' | null;

/**
 * Time between two log lines about messages. Everybody who can log in to the source can send messages, and
 * their number must not fill a disk with logs.
 */
const LOG_INTERVAL_MS = 60_000;

/**
 * Keeps the configuration of the file, over all sessions, and whether it is in effect. Answers at once,
 * because the stream is not read while a session asks.
 */
export class FollowedConfiguration {
  /** Messages that announced a configuration which is neither in effect nor that of the file. */
  ignored = 0;
  /** The file as last read, with the slot of the YAML. */
  #given: TrackingConfig;
  /** The file as last read, with the slot that capture uses. */
  #file: TrackingConfig;
  #trailSlot: string | undefined;
  #asked: Asked = { how: 'start', by: null };
  #announced: Announced | null = null;
  #inEffect: TrackingConfig | null = null;
  #pending: TrackingConfig | null = null;
  #isPrepared = false;
  #loggedAt = -Infinity;
  #lastIgnored: MessagePlace | undefined;
  readonly #log: Log;
  readonly #readFile: () => TrackingConfig | undefined;
  #waiting: (() => void)[] = [];

  constructor(options: {
    readonly config: TrackingConfig;
    readonly readConfig: () => TrackingConfig | undefined;
    readonly log: Log;
  }) {
    this.#given = this.#file = options.config;
    this.#readFile = options.readConfig;
    this.#log = options.log;
  }

  /** The file as last read, with the slot that capture uses. */
  get file(): TrackingConfig {
    return this.#file;
  }

  get asked(): Asked {
    return this.#asked;
  }

  get announced(): Announced | null {
    return this.#announced;
  }

  /** Digest of the configuration in effect; null before the first session. */
  get digest(): string | null {
    return this.#inEffect?.definition.digest ?? null;
  }

  get waiting(): Waiting {
    return this.#pending === null ? null : this.#isPrepared ? 'position' : 'apply';
  }

  /** Reads the file as it is now. Returns undefined if it cannot be read, is invalid, or needs a restart. */
  readFile(): TrackingConfig | undefined {
    const file = this.#readFile();
    return file === undefined ? undefined : withSlot(file, this.#trailSlot);
  }

  /** True if the trail was asked for its slot and has one. */
  get isSlotKnown(): boolean {
    return this.#trailSlot !== undefined;
  }

  /**
   * Takes over the slot that the trail uses (DECISIONS 59). From now on, every configuration has this slot.
   *
   * @param slot undefined: no trail of this source has begun
   */
  standsOn(slot: string | undefined): void {
    this.#trailSlot = slot;
    this.#file = withSlot(this.#given, slot);
  }

  /** Takes over a file that somebody has asked to load. */
  reload(config: TrackingConfig, asked: Asked): void {
    this.take(config);
    this.#asked = asked;
  }

  /** Takes over a file with another configuration, which takes effect now or later. */
  take(file: TrackingConfig): void {
    this.#given = file;
    this.#file = withSlot(file, this.#trailSlot);
  }

  /** Calls back when a session is open that knows the present file. */
  onceOpen(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** Notes the configuration that a session has chosen. */
  chosen({
    config,
    pending,
  }: {
    readonly config: TrackingConfig;
    readonly pending: TrackingConfig | null;
  }): void {
    this.#inEffect = config;
    this.#pending = pending;
    this.#isPrepared = false;
    if (pending === null) this.#announced = null;
  }

  /** Notes that a session is open. */
  opened(): void {
    if (this.isCurrent) for (const callback of this.#waiting.splice(0)) callback();
  }

  /**
   * True if the session knows the present file. False if another file was loaded while the session opened.
   */
  get isCurrent(): boolean {
    return (this.#pending ?? this.#inEffect)?.definition.digest === this.#file.definition.digest;
  }

  /** Notes whether the source is prepared for the pending configuration, as of a reading of the catalog. */
  observed({ isPrepared }: { readonly isPrepared: boolean }): void {
    if (this.#pending !== null && !isPrepared && !this.#isPrepared)
      this.#warn(
        'The configuration of the file is not in effect, because the source is not prepared for it. Run waltrail apply.',
      );
    this.#isPrepared = isPrepared;
  }

  /**
   * Takes over an announcement of the stream that a configuration begins. Returns true if it is that of the
   * file, which then takes effect at this position. Any other is ignored, because everybody who can log in to
   * the source can send an old digest.
   */
  announce(message: ConfigurationMessage): boolean {
    const { digest, afterLsn } = message;
    if (digest === this.digest) return false;
    if (digest !== this.#file.definition.digest) {
      const file = this.readFile();
      if (file?.definition.digest !== digest) {
        if (!isBehind(message, this.#lastIgnored)) return false;
        this.#lastIgnored = message;
        this.ignored++;
        this.#warn('The source announces a configuration that is not the one in the file. It is ignored.');
        return false;
      }
      this.take(file);
    }
    this.#announced = { digest, afterLsn, how: 'apply' };
    return true;
  }

  /**
   * Notes that from this position, the source sends everything that the configuration of the file asks for.
   */
  reached(afterLsn: Lsn): void {
    this.#announced = {
      digest: this.#file.definition.digest,
      afterLsn,
      how: 'source as configured',
    };
  }

  /**
   * Takes over the file if somebody has changed it and prepared the source without telling the daemon.
   * Returns true then.
   */
  appliedAnother(catalog: Catalog): boolean {
    const file = this.readFile();
    const { digest } = (this.#pending ?? this.#inEffect)!.definition;
    if (file === undefined || file.definition.digest === digest) return false;
    if (sameTables(this.#inEffect!, file, catalog) || !isPrepared({ config: file, catalog })) return false;
    this.take(file);
    return true;
  }

  #warn(sentence: string): void {
    if (performance.now() - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = performance.now();
    this.#log.warn({ ignored: this.ignored }, sentence);
  }
}
