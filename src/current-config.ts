import { WaltrailError } from './errors.js';
import type { TrackingConfig } from './tracking/rules.js';

/** Settings that a running process cannot change, by their key in the YAML. */
const FIXED: Readonly<Record<string, (config: TrackingConfig) => string>> = {
  'source.name': ({ source }) => source.name,
  'source.url': ({ source }) => source.url,
  'source.slot': ({ source }) => (source.slotNamed ? source.slot : ''),
  'source.publication': ({ source }) => source.publication,
  'trail.url': ({ trail }) => trail.url,
  'trail.urls': ({ trail }) => JSON.stringify(Object.entries(trail.urls ?? {}).sort()),
};

/** The configuration of this process. After a reload, `now` is the new configuration. */
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
   * Reads the file again without using it. Throws TRACKING_FILE_UNREADABLE, TRACKING_FILE_INVALID, and
   * TRACKING_NEEDS_RESTART if the file changes a setting that a running process cannot change.
   */
  read(): TrackingConfig {
    const config = this.#read();
    const fixed = Object.entries(FIXED).flatMap(([key, of]) => (of(config) === of(this.#now) ? [] : [key]));
    if (fixed.length === 0) return config;
    throw new WaltrailError(
      'TRACKING_NEEDS_RESTART',
      `The file changes ${fixed.join(', ')}, which needs a restart.`,
    );
  }

  take(config: TrackingConfig): void {
    this.#now = config;
  }
}
