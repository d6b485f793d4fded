/** Pauses, as numbers of looks at the source. */
const FIRST_PAUSE = 15;
const LONGEST_PAUSE = 1_800;

/**
 * Keeps the tables whose baseline failed, over all sessions of a process. Each failure doubles the pause
 * before the next attempt, also if it ended the session.
 */
export class BaselineAttempts {
  readonly #failed = new Map<string, { readonly pauseMs: number; readonly until: number }>();

  readonly #lookMs: number;

  /** @param options.lookMs milliseconds between two looks at the source */
  constructor({ lookMs }: { readonly lookMs: number }) {
    this.#lookMs = lookMs;
  }

  /** True if a baseline of the table may be tried. */
  mayTry(table: string): boolean {
    return (this.#failed.get(table)?.until ?? 0) <= performance.now();
  }

  /** Forgets all other tables. */
  keep(tables: readonly string[]): void {
    const kept = new Set(tables);
    for (const table of this.#failed.keys()) if (!kept.has(table)) this.#failed.delete(table);
  }

  /** Notes that an attempt begins. Unless it is {@link done}, the next has to wait. */
  begun(table: string): void {
    const before = this.#failed.get(table);
    const pauseMs =
      before === undefined
        ? FIRST_PAUSE * this.#lookMs
        : Math.min(2 * before.pauseMs, LONGEST_PAUSE * this.#lookMs);
    this.#failed.set(table, { pauseMs, until: performance.now() + pauseMs });
  }

  /** Notes that the table has a baseline, or that the attempt says nothing about the table. */
  done(table: string): void {
    this.#failed.delete(table);
  }
}
