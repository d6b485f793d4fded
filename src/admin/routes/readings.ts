import { WaltrailError } from '../../errors.js';
import type { TrailReader } from '../../trail/read/trail-reader.js';
import { principalOf, type GuardedRequest } from '../auth/guard.js';
import type { Slices } from '../stream/slices.js';
import { Turns } from './turns.js';

/**
 * Limits for plain reads, which take milliseconds. The page sends four at a time, so one token gets four
 * places. Others have places left.
 */
export const PLAIN_READS = { atOnce: 8, forAdmins: 2, forToken: 4, waiting: 50 };
/**
 * Limits for searches for text. A search reads every value of the range, slice by slice, and holds a
 * connection. The page sends two for each text (list and facets). Those for earlier texts may still run.
 */
export const SEARCHES = { atOnce: 3, forAdmins: 1, forToken: 2, waiting: 6 };
/** Limits for requests about exports, which take milliseconds. In the trail, those of a token run in turn. */
export const EXPORT_REQUESTS = { atOnce: 3, forAdmins: 1, forToken: 1, waiting: 50 };

/**
 * Reads the trail for requests, with turns by token. Plain reads, searches and requests about exports have
 * separate turns.
 */
export class Readings {
  readonly #plain: { readonly reader: TrailReader; readonly turns: Turns };
  readonly #search: { readonly reader: TrailReader; readonly turns: Turns };
  readonly #exports = new Turns(EXPORT_REQUESTS);
  readonly #slices: Slices;

  /**
   * The two readers should have separate connections: a search must not take those of plain reads. Searches
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
   * Reads when it is the requester's turn. If the client of a search disconnects, the search ends after its
   * current slice. Throws HTTP_TOKEN_BUSY, and what `read` throws.
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

  /** Runs a request about exports when it is the requester's turn. Throws HTTP_TOKEN_BUSY. */
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
    close = () => reject(new WaltrailError('HTTP_REQUEST_INVALID', 'The client has disconnected.'));
    if (socket.destroyed) close();
    else socket.once('close', close);
  });
  // If nothing waits for `gone`, its rejection must not end the process.
  gone.catch(() => undefined);
  try {
    return await turns.run(principalOf(request), () => work(gone), gone);
  } finally {
    socket.off('close', close);
  }
}
