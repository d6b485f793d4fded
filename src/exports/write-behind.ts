import type { Sink } from './files.js';

/** Writes parts of a file to a sink, each while the next one is made. */
export class WriteBehind {
  readonly #sink: Sink;
  #writing = Promise.resolve();

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Begins to write a part once the part before is written. Only then is it asked for. */
  async begin(part: () => Uint8Array): Promise<void> {
    await this.#writing;
    this.#writing = this.#sink.write(part());
    // The error is thrown where the write is awaited.
    this.#writing.catch(() => undefined);
  }

  /** Resolves when everything is written. */
  async end(): Promise<void> {
    await this.#writing;
  }
}
