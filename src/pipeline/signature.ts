import { createHmac, timingSafeEqual } from 'node:crypto';
import { MAX_MESSAGE_BYTES } from './message-json.js';

/** Why a message that must be signed is passed over. These words are stored, so they must not change. */
export type Unsigned = 'not signed' | 'wrongly signed' | 'too large to be signed';

/** `v1.`, 64 hexadecimal digits and `.`. The body follows. */
const HEADER = /^v1\.([0-9a-f]{64})\.$/i;
const HEADER_BYTES = 3 + 64 + 1;

/**
 * Checks signatures of logical messages (DECISIONS 52). A signed message is `v1.<signature>.<body>`. The
 * signature is the HMAC-SHA256 of `v1.<system identifier>.<xid>.<body>` in hexadecimal digits. Both numbers
 * are decimal, and the xid is that of the transaction modulo 2^32. So a message that was read in the WAL is
 * worth nothing in another transaction or another cluster. Numbers have no dot, so different parts never give
 * the same bytes.
 */
export class MessageSignatures {
  readonly #keys: readonly string[];
  readonly #systemIdentifier: string;

  /** @param options.keys keys that may have signed a message; empty: messages need no signature */
  constructor(options: { readonly keys: readonly string[]; readonly systemIdentifier: string }) {
    this.#keys = options.keys;
    this.#systemIdentifier = options.systemIdentifier;
  }

  /**
   * Returns the body of a message. Without keys, a signature is removed and not checked, so that an
   * application can begin to sign before Waltrail has its key.
   */
  open(content: Buffer, xid: number): Buffer | Unsigned {
    const header = HEADER.exec(content.toString('latin1', 0, HEADER_BYTES));
    const body = header === null ? content : content.subarray(HEADER_BYTES);
    if (this.#keys.length === 0) return body;
    if (header === null) return 'not signed';
    // A sender without a key must not be able to cause unlimited work.
    if (body.length > MAX_MESSAGE_BYTES) return 'too large to be signed';
    const signature = Buffer.from(header[1]!, 'hex');
    const isRight = this.#keys.some((key) => timingSafeEqual(signature, this.#sign(key, body, xid)));
    return isRight ? body : 'wrongly signed';
  }

  #sign(key: string, body: Buffer, xid: number): Buffer {
    return createHmac('sha256', key)
      .update(`v1.${this.#systemIdentifier}.${xid >>> 0}.`)
      .update(body)
      .digest();
  }
}
