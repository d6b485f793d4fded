/**
 * A PostgreSQL for each worker of a run, started when the worker first asks: what a spec does to a whole
 * server, such as a transaction that runs and keeps new slots waiting, then meets nothing of another spec,
 * and nobody decodes the WAL of others. The process of the run lends them, because workers come and go.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';

/** `start` starts a server. The URL answers `GET /WORKER` with the URL of that worker's server. */
export async function lendServers(start) {
  const servers = new Map();
  const lender = createServer(({ url }, response) => {
    if (!servers.has(url)) servers.set(url, start());
    servers.get(url).then(
      (server) => response.end(server.url('postgres')),
      (error) => response.writeHead(500).end(error.message),
    );
  });
  lender.listen(0, '127.0.0.1');
  await once(lender, 'listening');
  return {
    url: `http://127.0.0.1:${lender.address().port}`,
    stop: async () => {
      lender.close();
      lender.closeAllConnections();
      const started = await Promise.allSettled(servers.values());
      await Promise.all(started.map(({ value }) => value?.stop()));
    },
  };
}
