import { existsSync } from 'node:fs';
import path from 'node:path';
import { fastifyStatic } from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const PAGE_FOLDER = path.resolve(import.meta.dirname, '../web');
const MISSING =
  'The page was not built. Run "npm run build:web" and start Waltrail again; the API works without it.\n';

/**
 * Serves the page at `/`. Files under assets/ have the hash of their content in their names and never change.
 * index.html is revalidated at each load, so that a browser never mixes two versions.
 */
export async function servePage(server: FastifyInstance): Promise<void> {
  if (!existsSync(path.join(PAGE_FOLDER, 'index.html'))) {
    server.get('/', (_request, reply) => reply.code(503).type('text/plain; charset=utf-8').send(MISSING));
    return;
  }
  await server.register(fastifyStatic, {
    root: PAGE_FOLDER,
    // Registers one route for each existing file. Every other path is answered with the API's own problem
    // document (404).
    wildcard: false,
    // The build has compressed them (vite.config.mjs). Each compressed file has its own entity tag.
    preCompressed: true,
    globIgnore: ['**/*.br', '**/*.gz'],
    cacheControl: false,
    setHeaders: (reply, file) => {
      const hashed = path.dirname(path.relative(PAGE_FOLDER, file)) === 'assets';
      void reply.header('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
