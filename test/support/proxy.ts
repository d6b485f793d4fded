import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * The place at which a connection goes dead. The texts are sent one after another. `before`: what the client
 * sends with the last text never arrives. `after`: it arrives, but nothing comes back. `streamed`: this
 * number of further bytes of a replication stream get through.
 */
export type Cut =
  | { readonly before: readonly string[] }
  | { readonly after: readonly string[] }
  | { readonly streamed: number };

/**
 * A TCP proxy in front of a PostgreSQL server that fails as networks do. New connections work again after
 * {@link pass}.
 */
export interface FaultyProxy extends AsyncDisposable {
  /** `url` with the proxy's address. */
  through(url: string): string;
  /** Sends new connections to the server of this URL. */
  retarget(url: string): void;
  /**
   * Makes the first connection that gets to this place go dead, and only that one. The returned function
   * tells whether one has.
   */
  cutAt(cut: Cut): () => boolean;
  /** Connections made so far. */
  readonly connections: () => number;
  pass(): void;
  /**
   * Stops everything in both directions without telling anybody. New connections are accepted and stay
   * silent.
   */
  blackhole(): void;
  /** Resets both ends of every connection. */
  reset(): void;
  /** Closes the server's sending direction; it still reads. */
  halfClose(): void;
  /** Bytes per second in each direction. */
  throttle(bytesPerSecond: number): void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  dead: boolean;
  /** Whether a replication stream was requested. */
  streams: boolean;
  /** The end of what the client sent last, because a text may be split between two chunks. */
  sent: string;
  /** How many texts of the cut the client has sent. */
  texts: number;
}

const REMEMBERED = 100;

export async function faultyProxy(target: string): Promise<FaultyProxy> {
  let { hostname, port } = new URL(target);
  const pairs = new Set<Pair>();
  let connections = 0;
  let silent = false;
  let rate = Infinity;

  let cut: { readonly at: Cut; left: number; reached: boolean } | undefined;

  /** The part of a chunk that gets through. */
  const passing = (pair: Pair, chunk: Buffer, fromClient: boolean): Buffer => {
    const text = fromClient ? pair.sent + chunk.toString('latin1') : '';
    if (fromClient) {
      pair.sent = text.slice(-REMEMBERED);
      pair.streams ||= text.includes('START_REPLICATION');
    }
    if (cut === undefined || cut.reached) return chunk;
    const { at } = cut;
    if ('streamed' in at) {
      if (fromClient || !pair.streams) return chunk;
      const part = chunk.subarray(0, cut.left);
      cut.left -= part.length;
      pair.dead = cut.reached = cut.left === 0;
      return part;
    }
    const texts = 'before' in at ? at.before : at.after;
    if (!fromClient) return chunk;
    while (pair.texts < texts.length && text.includes(texts[pair.texts]!)) pair.texts++;
    if (pair.texts < texts.length) return chunk;
    pair.dead = cut.reached = true;
    return 'before' in at ? Buffer.alloc(0) : chunk;
  };

  const forward = (pair: Pair, from: Socket, to: Socket): void => {
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      if (pair.dead) return;
      const free = to.write(passing(pair, chunk, from === pair.client));
      if (rate !== Infinity) {
        from.pause();
        void delay((chunk.length / rate) * 1000).then(() => pair.dead || from.resume());
      } else if (!free) {
        from.pause();
        to.once('drain', () => pair.dead || from.resume());
      }
    });
    // A dead connection tells the other end nothing, not even that it has ended.
    from.on('end', () => pair.dead || to.end());
    from.on('close', () => pair.dead || to.destroy());
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    connections++;
    if (silent) {
      client.on('error', () => undefined);
      client.pause();
      pairs.add({ client, server: client, dead: true, streams: false, sent: '', texts: 0 });
      return;
    }
    const upstream = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const pair: Pair = { client, server: upstream, dead: false, streams: false, sent: '', texts: 0 };
    pairs.add(pair);
    forward(pair, client, upstream);
    forward(pair, upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = (server.address() as { port: number }).port;

  const each = (act: (pair: Pair) => void): void => {
    for (const pair of pairs) act(pair);
  };
  const drop = (pair: Pair): void => {
    pair.dead = true;
    pair.client.destroy();
    pair.server.destroy();
    pairs.delete(pair);
  };
  return {
    through: (url) => {
      const changed = new URL(url);
      changed.hostname = '127.0.0.1';
      changed.port = String(own);
      return changed.href;
    },
    retarget: (url) => {
      ({ hostname, port } = new URL(url));
    },
    cutAt: (at) => {
      const mine = { at, left: 'streamed' in at ? at.streamed : 0, reached: false };
      each((pair) => (pair.texts = 0));
      cut = mine;
      return () => mine.reached;
    },
    connections: () => connections,
    pass: () => {
      silent = false;
      rate = Infinity;
      cut = undefined;
      // The server must finally notice, as its own keepalives would make it.
      each((pair) => pair.dead && drop(pair));
    },
    blackhole: () => {
      silent = true;
      each((pair) => {
        pair.dead = true;
        pair.client.pause();
        pair.server.pause();
      });
    },
    reset: () =>
      each((pair) => {
        pair.dead = true;
        pair.client.resetAndDestroy();
        pair.server.resetAndDestroy();
        pairs.delete(pair);
      }),
    halfClose: () => each((pair) => pair.client.end()),
    throttle: (bytesPerSecond) => {
      rate = bytesPerSecond;
    },
    [Symbol.asyncDispose]: async () => {
      each(drop);
      server.close();
      await once(server, 'close');
    },
  };
}
