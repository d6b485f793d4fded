import type { Log } from '../log.js';
import type { Lsn } from '../pg/lsn.js';
import { isBehind, type MessagePlace } from '../pipeline/message-place.js';
import type { ConfigurationMessage } from '../pipeline/transaction-recorder.js';
import type { Catalog } from '../tracking/catalog.js';
import { isPrepared, sameTables } from '../tracking/configuration-tables.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { withSlot } from '../tracking/slot-name.js';
import type { Adoption } from '../trail/write/configuration.js';

/** That a configuration begins at a position of the stream. */
export interface Announced {
  readonly digest: string;
  /**
   * End of the last transaction before it: once the checkpoint has reached it, the configuration is in
   * effect.
   */
  readonly afterLsn: Lsn;
  readonly how: Adoption;
}

/** Who or what asked for a configuration that nothing in the stream has announced. */
export interface Asked {
  readonly how: Adoption;
  /** Account of the operator; null: not known. */
  readonly by: string | null;
}

/** Why the configuration of the file is not in effect; null: it is. */
export type Waiting = 'apply' | 'position' | null;

/**
 * Anybody who may log in to the source can send as many messages as they like: none must fill a disk with
 * log.
 */
const LOG_INTERVAL_MS = 60_000;

/**
 * The configuration of the file, over all sessions, and how far it is in effect. What a session asks here
 * answers at once: nothing is read from the stream meanwhile.
 */
export class FollowedConfiguration {
  /** Messages that announced a configuration which is neither in effect nor that of the file. */
  ignored = 0;
  /** As it was read last; its slot is what the YAML says. */
  #given: TrackingConfig;
  /** The same with the slot that capture uses. */
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

  /** As it was read last, with the slot that capture uses. */
  get file(): TrackingConfig {
    return this.#file;
  }

  get asked(): Asked {
    return this.#asked;
  }

  get announced(): Announced | null {
    return this.#announced;
  }

  /** Digest of the one in effect; null before the first session. */
  get digest(): string | null {
    return this.#inEffect?.definition.digest ?? null;
  }

  get waiting(): Waiting {
    return this.#pending === null ? null : this.#isPrepared ? 'position' : 'apply';
  }

  /** The file as it is now; undefined: it cannot be read, is invalid, or needs a restart. */
  readFile(): TrackingConfig | undefined {
    const file = this.#readFile();
    return file === undefined ? undefined : withSlot(file, this.#trailSlot);
  }

  /** Whether the trail was asked for its slot, and has one. */
  get isSlotKnown(): boolean {
    return this.#trailSlot !== undefined;
  }

  /**
   * The trail was asked on which slot it stands (DECISIONS 59): from here on, every configuration has that
   * one.
   *
   * @param slot undefined: no trail of this source has begun
   */
  standsOn(slot: string | undefined): void {
    this.#trailSlot = slot;
    this.#file = withSlot(this.#given, slot);
  }

  /** Takes over a file that somebody asks to work by. */
  reload(config: TrackingConfig, asked: Asked): void {
    this.take(config);
    this.#asked = asked;
  }

  /** The file was found to be another one, which is worked by or waited for. */
  take(file: TrackingConfig): void {
    this.#given = file;
    this.#file = withSlot(file, this.#trailSlot);
  }

  /** Calls back when a session is open that knows of the file. */
  onceOpen(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** A session has decided by which configuration it works. */
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

  /** A session is open. */
  opened(): void {
    if (this.isCurrent) for (const callback of this.#waiting.splice(0)) callback();
  }

  /** Whether the sessions know of the file. Not, where another was loaded while one opened. */
  get isCurrent(): boolean {
    return (this.#pending ?? this.#inEffect)?.definition.digest === this.#file.definition.digest;
  }

  /** The catalog was read: whether the source is as the pending configuration wants it. */
  observed({ isPrepared }: { readonly isPrepared: boolean }): void {
    if (this.#pending !== null && !isPrepared && !this.#isPrepared)
      this.#say(
        'The configuration of the file is not in effect: the source is not as it asks. Run waltrail apply.',
      );
    this.#isPrepared = isPrepared;
  }

  /**
   * The stream says that a configuration begins. True if it is that of the file, which then has to be worked
   * by from here on. Any other is ignored: whoever may log in to the source can send an old digest.
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
        this.#say('The source announces a configuration that is not that of the file; it is ignored.');
        return false;
      }
      this.take(file);
    }
    this.#announced = { digest, afterLsn, how: 'apply' };
    return true;
  }

  /** The stream has come to where the source sends everything that the configuration of the file asks for. */
  reached(afterLsn: Lsn): void {
    this.#announced = {
      digest: this.#file.definition.digest,
      afterLsn,
      how: 'source as configured',
    };
  }

  /**
   * Takes over the file where somebody has changed it and has prepared the source without telling the daemon.
   */
  appliedAnother(catalog: Catalog): boolean {
    const file = this.readFile();
    const { digest } = (this.#pending ?? this.#inEffect)!.definition;
    if (file === undefined || file.definition.digest === digest) return false;
    if (sameTables(this.#inEffect!, file, catalog) || !isPrepared({ config: file, catalog })) return false;
    this.take(file);
    return true;
  }

  #say(sentence: string): void {
    if (performance.now() - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = performance.now();
    this.#log.warn({ ignored: this.ignored }, sentence);
  }
}
