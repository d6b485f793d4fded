/**
 * Lends a PostgreSQL to each worker of a run, started when the worker first asks. What a spec does to a whole
 * server then affects no other spec, such as a long transaction that keeps new slots waiting. Nobody decodes
 * the WAL of others. The main process lends the servers, because workers come and go.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * Starts the lender; `start` starts a server. `GET /WORKER` at its URL answers with the URL of that worker's
 * server.
 */
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
