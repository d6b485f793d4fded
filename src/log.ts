import { pino, type DestinationStream, type Logger } from 'pino';

/**
 * Structured log: a fixed sentence plus fields (`lsn`, `xid`, `relation`, `code`). It goes to standard error,
 * so that standard output contains only what a person or a script asked for. A field never contains a row
 * value or a credential.
 */
export type Log = Logger;

export function createLog(options: { level: string; destination?: DestinationStream }): Log {
  return pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
}

/** A log that prints nothing, for tests and scripts. */
export const silentLog: Log = pino({ level: 'silent' });

/** Milliseconds after which a lasting problem is reported again. */
const REPEAT_MS = 600_000;
/**
 * Most codes of one outage that are reported at once. A server may answer with any code, so the number is
 * limited.
 */
const MAX_CODES = 8;

/**
 * Fields of a report about a problem: its code, how often it occurred since it began, and how long it has
 * lasted.
 */
export interface ProblemFields {
  readonly code: string;
  readonly times: number;
  readonly lastsSeconds: number;
}

/**
 * A problem that may last. It is reported when it begins, every ten minutes while it lasts, and when it has
 * ended. A different code in the same outage is reported at once.
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

  /** Reports the end of the problem. Does nothing if there was none. */
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
