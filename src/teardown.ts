import { codeOf } from './errors.js';
import type { Log } from './log.js';

interface Step {
  readonly what: string;
  readonly limitMs: number;
  readonly stop: () => unknown;
}

/**
 * Stops parts in the reverse order of their start. A step that fails or takes too long is logged and skipped:
 * one part that hangs must not keep the others from releasing their connections and locks.
 */
export class Teardown {
  readonly #log: Log;
  readonly #steps: Step[] = [];
  #running: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  add(what: string, options: { readonly limitMs: number; readonly stop: () => unknown }): void {
    this.#steps.push({ what, ...options });
  }

  /** Stops all parts. Never rejects. Every caller gets the same run. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    for (const step of this.#steps.toReversed()) {
      try {
        if (!(await endsWithin(step)))
          this.#log.warn({ part: step.what, limitMs: step.limitMs }, 'A part did not stop in time.');
      } catch (error) {
        this.#log.warn({ part: step.what, code: codeOf(error) }, 'A part failed to stop.');
      }
    }
  }
}

async function endsWithin({ stop, limitMs }: Step): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), limitMs)));
  try {
    return await Promise.race([Promise.resolve(stop()).then(() => true), limit]);
  } finally {
    clearTimeout(timer);
  }
}
