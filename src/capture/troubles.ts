import type { Log } from '../log.js';
import type { TableTrouble } from '../tracking/troubles.js';

/** More are counted and not shown. */
const MAX_SHOWN = 100;
/** As many get a line in the log at once; of more, one line says how many there are. */
const MAX_LOGGED = 10;

/** What is wrong with named tables, as the last look found it: for the status, and once each for the log. */
export class Troubles {
  readonly #log: Log;
  /** By code and table. */
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
      this.#log.info({ code, table }, 'The trouble with this table is over.');
    if (Math.max(begun.length, over.length) > MAX_LOGGED)
      this.#log.error(
        { begun: begun.length, over: over.length, troubles: now.size },
        'Many tables have troubles, or had; the status names them.',
      );
  }
}
