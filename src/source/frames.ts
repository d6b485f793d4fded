import { IN_PLACE, NOT_YET, type MessageOrder } from './message-order.js';

/**
 * Called for each whole protocol frame: `tag` is its type, `bytes[start, end)` its body. Valid during the
 * call only.
 */
export type FrameHandler = (tag: number, bytes: Buffer, start: number, end: number) => void;

const INITIAL_BYTES = 512 * 1024;
const MIN_SPACE_BYTES = 64 * 1024;
/** A buffer that grew for one giant row is let go once what is left fits into a small one. */
const KEEP_BYTES = 4 * 1024 * 1024;
/** Type of a frame that was handed over ahead of its place. No frame of the protocol has it. */
const HANDED_OVER = 0;

/**
 * Cuts the byte stream of a connection into frames (one type byte, a length that includes itself, the body)
 * in one reused buffer. With a {@link MessageOrder} a change is handed over when the beginning of what
 * follows it has come, which PostgreSQL sends with it: a change is never the last of its transaction or
 * stream block.
 *
 * @see https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #order: MessageOrder | null;
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  /** Unread bytes are `#buffer[#head, #tail)`. */
  #head = 0;
  #tail = 0;
  #held = false;

  /** @param order which frames come before others that were sent first; null: none do */
  constructor(handler: FrameHandler, order: MessageOrder | null = null) {
    this.#handler = handler;
    this.#order = order;
  }

  /** Where the next bytes may be read into: at least 64 KiB. Say with {@link filled} how many came. */
  space(): Buffer {
    this.#reserve(MIN_SPACE_BYTES);
    return this.#buffer.subarray(this.#tail);
  }

  /** Nothing is handed over, also of what has arrived. */
  get held(): boolean {
    return this.#held;
  }

  /** Hands over nothing more after the present frame. Reading should stop too, for what comes is kept. */
  hold(): void {
    this.#held = true;
  }

  /** Goes on after {@link hold}. Not from within a frame's handler. */
  release(): void {
    this.#held = false;
    this.filled(0);
  }

  /** `bytes` were read into {@link space}: hands over every frame that is whole. */
  filled(bytes: number): void {
    this.#tail += bytes;
    const buffer = this.#buffer;
    const tail = this.#tail;
    let at = this.#head;
    while (tail - at >= 5 && !this.#held) {
      const length = buffer.readUInt32BE(at + 1);
      const end = at + 1 + length;
      if (end > tail) break;
      const ahead = this.#order === null ? IN_PLACE : this.#order.frameAhead(buffer, at, tail);
      if (ahead === NOT_YET) break;
      if (ahead !== IN_PLACE) {
        const tag = buffer[ahead]!;
        buffer[ahead] = HANDED_OVER;
        this.#handler(tag, buffer, ahead + 5, ahead + 1 + buffer.readUInt32BE(ahead + 1));
        continue;
      }
      // Move on before the handler runs: one that throws must not meet the same frame again.
      this.#head = end;
      if (buffer[at] !== HANDED_OVER) this.#handler(buffer[at]!, buffer, at + 5, end);
      at = end;
    }
  }

  /** Bytes that were read elsewhere (a TLS socket reads into buffers of its own). */
  push(chunk: Buffer): void {
    this.#reserve(chunk.length);
    this.filled(chunk.copy(this.#buffer, this.#tail));
  }

  #reserve(bytes: number): void {
    const unread = this.#tail - this.#head;
    if (unread === 0) {
      this.#head = this.#tail = 0;
      this.#order?.moved();
      if (this.#buffer.length > KEEP_BYTES) this.#buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    }
    if (this.#buffer.length - this.#tail >= bytes) return;
    let size = this.#buffer.length;
    while (size < unread + bytes) size *= 2;
    const target = size === this.#buffer.length ? this.#buffer : Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(target, 0, this.#head, this.#tail);
    this.#buffer = target;
    this.#head = 0;
    this.#tail = unread;
    this.#order?.moved();
  }
}
