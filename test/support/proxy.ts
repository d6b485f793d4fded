import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** A TCP proxy before a PostgreSQL server that fails as networks do. New connections pass again after {@link pass}. */
export interface FaultyProxy extends AsyncDisposable {
  /** `url` with the proxy's address. */
  through(url: string): string;
  /** Connections made so far. */
  readonly connections: () => number;
  pass(): void;
  /** Nothing gets through any more in either direction, and nobody is told; new connections are accepted and stay silent. */
  blackhole(): void;
  /** Both ends of every connection are reset. */
  reset(): void;
  /** The server's end says that it is done, though it still reads. */
  halfClose(): void;
  /** Bytes per second in each direction. */
  throttle(bytesPerSecond: number): void;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  dead: boolean;
}

export async function faultyProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<Pair>();
  let connections = 0;
  let silent = false;
  let rate = Infinity;

  const forward = (pair: Pair, from: Socket, to: Socket): void => {
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      if (pair.dead) return;
      const free = to.write(chunk);
      if (rate !== Infinity) {
        from.pause();
        void delay((chunk.length / rate) * 1000).then(() => pair.dead || from.resume());
      } else if (!free) {
        from.pause();
        to.once('drain', () => pair.dead || from.resume());
      }
    });
    // A connection that is dead tells the other end nothing, not even that it is gone.
    from.on('end', () => pair.dead || to.end());
    from.on('close', () => pair.dead || to.destroy());
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    connections++;
    if (silent) {
      client.on('error', () => undefined);
      client.pause();
      pairs.add({ client, server: client, dead: true });
      return;
    }
    const upstream = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const pair: Pair = { client, server: upstream, dead: false };
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
    connections: () => connections,
    pass: () => {
      silent = false;
      rate = Infinity;
      // The server notices at last, as its own keepalives would make it.
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
