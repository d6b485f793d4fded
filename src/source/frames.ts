import { IN_PLACE, NOT_YET, type MessageOrder } from './message-order.js';

/**
 * Called for each complete protocol frame: `tag` is its type, `bytes[start, end)` its body. The bytes are
 * valid only during the call.
 */
export type FrameHandler = (tag: number, bytes: Buffer, start: number, end: number) => void;

const INITIAL_BYTES = 512 * 1024;
const MIN_SPACE_BYTES = 64 * 1024;
/**
 * A buffer that is larger than this, because it grew for one huge row, is replaced by a small one once it is
 * empty.
 */
const KEEP_BYTES = 4 * 1024 * 1024;
/** Marks a frame that was delivered ahead of its place. No frame of the protocol has this type. */
const HANDED_OVER = 0;

/**
 * Cuts the byte stream of a connection into frames (one type byte, a length that includes itself, the body)
 * in one reused buffer. With a {@link MessageOrder}, a change is delivered once the beginning of the next
 * frame has arrived. That frame always follows, because a change is never the last message of its transaction
 * or stream block.
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

  /** @param order decides which frames are delivered before frames that were sent earlier; null: none */
  constructor(handler: FrameHandler, order: MessageOrder | null = null) {
    this.#handler = handler;
    this.#order = order;
  }

  /**
   * Returns the space for the next bytes: at least 64 KiB. Report with {@link filled} how many bytes arrived.
   */
  space(): Buffer {
    this.#reserve(MIN_SPACE_BYTES);
    return this.#buffer.subarray(this.#tail);
  }

  /** Whether delivery is stopped, also of frames that have arrived. */
  get held(): boolean {
    return this.#held;
  }

  /**
   * Stops delivery after the present frame. Reading should stop too, because bytes that arrive stay in
   * memory.
   */
  hold(): void {
    this.#held = true;
  }

  /** Resumes delivery after {@link hold}. A frame handler must not call it. */
  release(): void {
    this.#held = false;
    this.filled(0);
  }

  /** Delivers every complete frame after `bytes` bytes were read into {@link space}. */
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
      // Move on before the handler runs: if it throws, it must not receive the same frame again.
      this.#head = end;
      if (buffer[at] !== HANDED_OVER) this.#handler(buffer[at]!, buffer, at + 5, end);
      at = end;
    }
  }

  /** Takes bytes that were read elsewhere. A TLS socket reads into buffers of its own. */
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
