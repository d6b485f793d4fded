import { WaltrailError } from './errors.js';
import type { TrackingConfig } from './tracking/rules.js';

/** What a running process cannot change, by the key of the YAML. */
const FIXED: Readonly<Record<string, (config: TrackingConfig) => string>> = {
  'source.name': ({ source }) => source.name,
  'source.url': ({ source }) => source.url,
  'source.slot': ({ source }) => (source.slotNamed ? source.slot : ''),
  'source.publication': ({ source }) => source.publication,
  'trail.url': ({ trail }) => trail.url,
  'trail.urls': ({ trail }) => JSON.stringify(Object.entries(trail.urls ?? {}).sort()),
};

/** The configuration of this process. A reload replaces it, and whoever reads it reads the new one. */
export class CurrentConfig {
  #now: TrackingConfig;
  readonly #read: () => TrackingConfig;

  constructor(options: { readonly config: TrackingConfig; readonly read: () => TrackingConfig }) {
    this.#now = options.config;
    this.#read = options.read;
  }

  get now(): TrackingConfig {
    return this.#now;
  }

  /**
   * Reads the file again; nothing is taken over. Throws TRACKING_FILE_UNREADABLE, TRACKING_FILE_INVALID, and
   * TRACKING_NEEDS_RESTART for a file that differs in what a running process cannot change.
   */
  read(): TrackingConfig {
    const config = this.#read();
    const fixed = Object.entries(FIXED).flatMap(([key, of]) => (of(config) === of(this.#now) ? [] : [key]));
    if (fixed.length === 0) return config;
    throw new WaltrailError('TRACKING_NEEDS_RESTART', `The file has another ${fixed.join(', ')}.`);
  }

  take(config: TrackingConfig): void {
    this.#now = config;
  }
}
