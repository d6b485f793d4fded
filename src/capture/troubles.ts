import type { Log } from '../log.js';
import type { TableTrouble } from '../tracking/troubles.js';

/** Number of troubles that are shown. Others are only counted. */
const MAX_SHOWN = 100;
/**
 * Number of troubles that get a log line each after one look. If there are more, one line gives their number.
 */
const MAX_LOGGED = 10;

/** Keeps what is wrong with named tables as of the last look, for the status. Logs each trouble once. */
export class Troubles {
  readonly #log: Log;
  /** Troubles by code and table. */
  #present: ReadonlyMap<string, TableTrouble> = new Map();

  constructor(log: Log) {
    this.#log = log;
  }

  get first(): readonly TableTrouble[] {
    return [...this.#present.values()].slice(0, MAX_SHOWN);
  }

  get count(): number {
    return this.#present.size;
  }

  observed(troubles: readonly TableTrouble[]): void {
    const before = this.#present;
    const now = new Map(troubles.map((trouble) => [`${trouble.code} ${trouble.table}`, trouble]));
    this.#present = now;
    const begun = [...now].filter(([key]) => !before.has(key)).map(([, trouble]) => trouble);
    const over = [...before].filter(([key]) => !now.has(key)).map(([, trouble]) => trouble);
    for (const { code, table, message, remedy, effect } of begun.slice(0, MAX_LOGGED))
      this.#log.error({ code, table, remedy, effect }, message);
    for (const { code, table } of over.slice(0, MAX_LOGGED))
      this.#log.info({ code, table }, 'The trouble with this table has ended.');
    if (Math.max(begun.length, over.length) > MAX_LOGGED)
      this.#log.error(
        { begun: begun.length, over: over.length, troubles: now.size },
        'Troubles of many tables have begun or ended. The status lists those that last.',
      );
  }
}
