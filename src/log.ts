import { pino, type DestinationStream, type Logger } from 'pino';

/**
 * Structured log: a fixed sentence plus fields (`lsn`, `xid`, `relation`, `code`), to standard error, so that
 * standard output stays for what a person or a script asked for. A row value or a credential is never a
 * field.
 */
export type Log = Logger;

export function createLog(options: { level: string; destination?: DestinationStream }): Log {
  return pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
}

/** For tests and scripts that do not care. */
export const silentLog: Log = pino({ level: 'silent' });

/** How often a problem that lasts is said again. */
const REPEAT_MS = 600_000;
/**
 * Codes of one outage that are said at once. What a server answers is its own affair, so their number is
 * bounded.
 */
const MAX_CODES = 8;

/** What is said of a problem: which, how often it was met since it began, and for how long it has lasted. */
export interface ProblemFields {
  readonly code: string;
  readonly times: number;
  readonly lastsSeconds: number;
}

/**
 * A problem that may last: it is said when it begins, again every ten minutes, and when it is over. Another
 * code in the same outage is said at once.
 */
export class LastingProblem {
  readonly #say: (fields: ProblemFields) => void;
  readonly #sayOver: (fields: Omit<ProblemFields, 'code'>) => void;
  readonly #codes = new Set<string>();
  #times = 0;
  #beganMs = 0;
  #saidMs = 0;

  constructor(options: {
    readonly say: (fields: ProblemFields) => void;
    readonly sayOver: (fields: Omit<ProblemFields, 'code'>) => void;
  }) {
    this.#say = options.say;
    this.#sayOver = options.sayOver;
  }

  met(code: string): void {
    const now = performance.now();
    if (this.#times === 0) this.#beganMs = now;
    this.#times++;
    const isNew = !this.#codes.has(code) && this.#codes.size < MAX_CODES;
    if (!isNew && now - this.#saidMs < REPEAT_MS) return;
    this.#codes.add(code);
    this.#saidMs = now;
    this.#say({ code, ...this.#counts(now) });
  }

  /** Does nothing where there was no problem. */
  over(): void {
    if (this.#times === 0) return;
    this.#sayOver(this.#counts(performance.now()));
    this.#times = 0;
    this.#codes.clear();
  }

  #counts(now: number): { times: number; lastsSeconds: number } {
    return { times: this.#times, lastsSeconds: Math.round((now - this.#beganMs) / 1000) };
  }
}
