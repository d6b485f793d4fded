import { WaltrailError } from '../../errors.js';
import type { TrailReader } from '../../trail/read/trail-reader.js';
import { principalOf, type GuardedRequest } from '../auth/guard.js';
import { Turns } from './turns.js';

/**
 * Plain reads take milliseconds. The page sends four at a time, so one token gets as many, and others have
 * places left.
 */
export const PLAIN_READS = { atOnce: 8, forAdmins: 2, forToken: 4, waiting: 50 };
/**
 * A search for text reads every value of the range, for up to 15 s. The page sends two for one text (list and
 * facets), and may have sent those of the texts before.
 */
export const SEARCHES = { atOnce: 3, forAdmins: 1, forToken: 2, waiting: 6 };

/** Reads the trail for requests, plain ones and searches apart, with turns for each token. */
export class Readings {
  readonly #plain: { readonly reader: TrailReader; readonly turns: Turns };
  readonly #search: { readonly reader: TrailReader; readonly turns: Turns };

  /** The readers should have connections of their own: a search must not take those of plain pages. */
  constructor(options: { readonly reader: TrailReader; readonly searchReader: TrailReader }) {
    this.#plain = { reader: options.reader, turns: new Turns(PLAIN_READS) };
    this.#search = { reader: options.searchReader, turns: new Turns(SEARCHES) };
  }

  /** Reads when it is the requester's turn. Throws HTTP_TOKEN_BUSY, and what `read` throws. */
  async run<T>(
    request: GuardedRequest,
    { q }: { readonly q?: string | undefined },
    read: (reader: TrailReader) => Promise<T>,
  ): Promise<T> {
    const { reader, turns } = q === undefined ? this.#plain : this.#search;
    const { socket } = request.raw;
    let close = (): void => undefined;
    const gone = new Promise<never>((_resolve, reject) => {
      close = () => reject(new WaltrailError('HTTP_REQUEST_INVALID', 'The client has gone.'));
      socket.once('close', close);
    });
    // Only who waits for a turn looks at it.
    gone.catch(() => undefined);
    try {
      return await turns.run(principalOf(request), () => read(reader), gone);
    } finally {
      socket.off('close', close);
    }
  }
}
