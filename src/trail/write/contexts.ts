import { CopyRows } from './copy-format.js';

/** Bytes of a row without its context: frame, field count, id and lengths. */
const ROW_BYTES = 32;

/**
 * Contexts that wait to be sent as rows of `trail.context`. Each is stored once, under the id of an entry
 * that refers to it (DECISIONS 58). The ids ascend.
 */
export class WaitingContexts {
  readonly #waiting: { readonly id: bigint; readonly frame: Buffer }[] = [];
  #bytes = 0;

  /** Bytes that wait to be sent. */
  get bytes(): number {
    return this.#bytes;
  }

  add(id: bigint, json: Buffer): void {
    const rows = new CopyRows(Buffer.allocUnsafe(json.length + ROW_BYTES));
    rows.beginRow(2);
    rows.int8(id);
    const start = rows.beginBytes();
    const { buffer, at } = rows.bytes(json.length);
    json.copy(buffer, at);
    rows.endBytes(start);
    const frame = rows.take();
    this.#waiting.push({ id, frame });
    this.#bytes += frame.length;
  }

  /** Takes the contexts of entries with ids below `below`, as CopyData frames. */
  take(below: bigint): readonly Buffer[] {
    const frames: Buffer[] = [];
    for (const { id, frame } of this.#waiting) {
      if (id >= below) break;
      frames.push(frame);
      this.#bytes -= frame.length;
    }
    this.#waiting.splice(0, frames.length);
    return frames;
  }
}
