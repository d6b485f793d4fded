/**
 * The import rule: who may import whom in `src/`, and that no files import each other in a circle. `npm run
 * lint` runs it. Types count like values. Changing the table is a design decision: write it down in
 * DECISIONS.md.
 *
 *   node scripts/imports.mjs [FOLDER]     of another `src` than ours
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { filesBelow } from './files.mjs';

/** Files above all rooms that know none. */
export const BASE = ['errors', 'settings', 'log'];

/**
 * Room to what it may import beside itself: a room with all below it, or one file. A file in no listed room
 * is its own room.
 */
export const ROOMS = {
  errors: [],
  log: ['errors'],
  settings: ['errors'],
  version: [],
  teardown: ['errors', 'log'],
  pg: [...BASE],
  pgoutput: ['errors', 'pg/lsn', 'pg/text', 'pg/byte-loops'],
  source: [...BASE, 'pg', 'pgoutput'],
  tracking: [...BASE, 'pg'],
  api: ['errors', 'tracking/nearest'],
  pipeline: [...BASE, 'pg', 'pgoutput', 'tracking'],
  trail: [...BASE, 'pg', 'pipeline/ports'],
  'trail/write': [...BASE, 'pg', 'pipeline/ports', 'tracking/rules', 'trail/*'],
  'trail/read': [...BASE, 'api', 'pg', 'pipeline/ports', 'tracking/rules', 'trail/*'],
  capture: [...BASE, 'pg', 'pgoutput', 'source', 'tracking', 'pipeline', 'trail/*', 'trail/write'],
  exports: [...BASE, 'version', 'api', 'pg', 'trail/*', 'trail/read'],
  'admin/auth': ['errors', 'log'],
  'admin/stream': ['errors', 'log', 'trail/read'],
  'admin/routes': [
    'errors',
    'api',
    'pipeline/capture-status',
    'trail/read',
    'exports',
    'admin/auth',
    'admin/stream',
  ],
  admin: [
    'errors',
    'log',
    'api',
    'pg/sql-state',
    'trail/read',
    'exports',
    'admin/auth',
    'admin/stream',
    'admin/routes',
  ],
  'web/exact-json': [],
  'web/api-types': ['api', 'web/exact-json'],
  'web/time': [],
  'web/http': ['web/exact-json', 'web/api-types'],
  'web/texts': ['web/api-types'],
  'web/entry': ['web/exact-json', 'web/api-types', 'web/time', 'web/texts'],
  'web/state': ['web/exact-json', 'web/api-types', 'web/time', 'web/http', 'web/texts', 'web/entry'],
  'web/ui': ['web/api-types', 'web/texts', 'web/entry', 'web/state/modals'],
  'web/table': ['web/api-types', 'web/time', 'web/texts', 'web/entry', 'web/state', 'web/ui'],
  'web/detail': [
    'web/exact-json',
    'web/api-types',
    'web/time',
    'web/http',
    'web/texts',
    'web/entry',
    'web/state',
    'web/ui',
  ],
  'web/filters': ['web/api-types', 'web/time', 'web/texts', 'web/state', 'web/ui'],
  'web/exports': ['web/api-types', 'web/time', 'web/http', 'web/texts', 'web/state', 'web/ui'],
  'web/gaps': ['web/api-types', 'web/time', 'web/texts', 'web/entry', 'web/state', 'web/ui'],
  'web/shell': ['web/state', 'web/ui'],
  'web/app': [
    'web/state/session',
    'web/table',
    'web/detail',
    'web/filters',
    'web/exports',
    'web/gaps',
    'web/shell',
  ],
  'web/main': ['web/state', 'web/table/row-focus', 'web/shell/shortcuts', 'web/app'],
  embedded: [...BASE, 'pg'],
  main: [
    ...BASE,
    'version',
    'teardown',
    'tracking/rules',
    'trail/*',
    'trail/read',
    'capture',
    'exports',
    'admin',
  ],
  cli: [...BASE, 'version', 'teardown', 'pg', 'tracking', 'trail', 'admin/auth/tokens', 'embedded', 'main'],
};

/** Every breach of the rule in a folder of sources, as sentences. */
export function breaches(folder, rooms = ROOMS) {
  const imports = readImports(folder);
  const found = [];
  for (const [file, targets] of imports) {
    const room = roomOf(file, rooms);
    for (const target of targets)
      if (!mayImport(room, target, rooms))
        found.push(`${file} imports ${target}: ${room} may not; see src/README.md, "The import rule".`);
  }
  for (const circle of circles(imports))
    found.push(`These files import each other in a circle: ${circle.join(', ')}.`);
  return found;
}

/** The longest listed room that a file is in. A file above all rooms is a room of its own name. */
function roomOf(file, rooms) {
  const parts = file.replace(/\.tsx?$/, '').split('/');
  for (let length = parts.length; length > 0; length--) {
    const room = parts.slice(0, length).join('/');
    if (Object.hasOwn(rooms, room)) return room;
  }
  return parts.join('/');
}

/** `room` allows what is below it, `room/*` only the files in it, `room/file` that file. */
function mayImport(room, target, rooms) {
  const to = roomOf(target, rooms);
  if (to === room) return true;
  const name = target.replace(/\.tsx?$/, '');
  return (rooms[room] ?? []).some((allowed) =>
    allowed.endsWith('/*')
      ? path.posix.dirname(name) === allowed.slice(0, -2)
      : name === allowed || name.startsWith(`${allowed}/`),
  );
}

/** The files among `files` (a Set or Map of them) that a file imports, named as these are. */
export function importsOf({ file, text, files }) {
  const targets = ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => path.posix.join(path.posix.dirname(file), name))
    .map((place) =>
      [place, place.replace(/\.js$/, '.ts'), place.replace(/\.js$/, '.tsx')].find((one) => files.has(one)),
    )
    .filter((target) => target !== undefined);
  return [...new Set(targets)];
}

/** File to the files that it imports, all relative to the folder. */
function readImports(folder) {
  const files = new Set(filesBelow(folder).filter((file) => /\.tsx?$/.test(file)));
  const imports = new Map();
  for (const file of files)
    imports.set(file, importsOf({ file, text: readFileSync(path.join(folder, file), 'utf8'), files }));
  return imports;
}

/**
 * Groups of files of which each imports, by way of others, every other (Tarjan's strongly connected
 * components).
 */
function circles(imports) {
  const order = new Map();
  const lowest = new Map();
  const open = [];
  const found = [];
  const visit = (file) => {
    order.set(file, order.size);
    lowest.set(file, order.get(file));
    open.push(file);
    for (const target of imports.get(file)) {
      if (!order.has(target)) visit(target);
      if (open.includes(target)) lowest.set(file, Math.min(lowest.get(file), lowest.get(target)));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = open.splice(open.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return found;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2] ?? path.resolve(import.meta.dirname, '../src');
  const found = breaches(folder);
  for (const breach of found) process.stderr.write(`${breach}\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
