import { WaltrailError } from '../../errors.js';
import type { TrailReader } from '../../trail/read/trail-reader.js';
import { principalOf, type GuardedRequest } from '../auth/guard.js';
import type { Slices } from '../stream/slices.js';
import { Turns } from './turns.js';

/**
 * Plain reads take milliseconds. The page sends four at a time, so one token gets as many, and others have
 * places left.
 */
export const PLAIN_READS = { atOnce: 8, forAdmins: 2, forToken: 4, waiting: 50 };
/**
 * A search for text reads every value of the range. Each of these holds a connection, and works slice by
 * slice. The page sends two for one text (list and facets), and may have sent those of the texts before.
 */
export const SEARCHES = { atOnce: 3, forAdmins: 1, forToken: 2, waiting: 6 };
/** What is asked of exports takes milliseconds. That of one token waits for itself in the trail anyway. */
export const EXPORT_REQUESTS = { atOnce: 3, forAdmins: 1, forToken: 1, waiting: 50 };

/**
 * Reads the trail for requests, with turns for each token: plain reads, searches, and what is asked of
 * exports.
 */
export class Readings {
  readonly #plain: { readonly reader: TrailReader; readonly turns: Turns };
  readonly #search: { readonly reader: TrailReader; readonly turns: Turns };
  readonly #exports = new Turns(EXPORT_REQUESTS);
  readonly #slices: Slices;

  /**
   * The readers should have connections of their own: a search must not take those of plain pages. Searches
   * share `slices` with the other long reads of the process.
   */
  constructor(options: {
    readonly reader: TrailReader;
    readonly searchReader: TrailReader;
    readonly slices: Slices;
  }) {
    this.#plain = { reader: options.reader, turns: new Turns(PLAIN_READS) };
    this.#search = { reader: options.searchReader, turns: new Turns(SEARCHES) };
    this.#slices = options.slices;
  }

  /**
   * Reads when it is the requester's turn. A search whose client has gone ends with its slice. Throws
   * HTTP_TOKEN_BUSY, and what `read` throws.
   */
  async run<T>(
    request: GuardedRequest,
    { q }: { readonly q?: string | undefined },
    read: (reader: TrailReader) => Promise<T>,
  ): Promise<T> {
    if (q === undefined) {
      const { reader, turns } = this.#plain;
      return takeTurn(request, turns, () => read(reader));
    }
    const { reader, turns } = this.#search;
    const { tokenId } = principalOf(request);
    return takeTurn(request, turns, (gone) =>
      read(reader.inTurns((work) => this.#slices.run(tokenId, work, gone))),
    );
  }

  /** Asks something of exports when it is the requester's turn. Throws HTTP_TOKEN_BUSY. */
  async ofExports<T>(request: GuardedRequest, ask: () => Promise<T>): Promise<T> {
    return takeTurn(request, this.#exports, ask);
  }
}

async function takeTurn<T>(
  request: GuardedRequest,
  turns: Turns,
  work: (gone: Promise<never>) => Promise<T>,
): Promise<T> {
  const { socket } = request.raw;
  let close = (): void => undefined;
  const gone = new Promise<never>((_resolve, reject) => {
    close = () => reject(new WaltrailError('HTTP_REQUEST_INVALID', 'The client has gone.'));
    if (socket.destroyed) close();
    else socket.once('close', close);
  });
  // Only who waits looks at it.
  gone.catch(() => undefined);
  try {
    return await turns.run(principalOf(request), () => work(gone), gone);
  } finally {
    socket.off('close', close);
  }
}
