/**
 * Checks the import rule: which room may import which in `src/`, and that no files import each other in a
 * circle. `npm run lint` runs it. Imports of types count like imports of values. Changing the table is a
 * design decision: record it in DECISIONS.md.
 *
 *   node scripts/imports.mjs [FOLDER]     of another `src` than ours
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { filesBelow } from './files.mjs';

/** Files that belong to no room and know none. */
export const BASE = ['errors', 'settings', 'log'];

/**
 * Maps each room to what it may import besides itself: a room with all below it, the files of a room only
 * (`room/*`), or one file. A file in no listed room is a room of its own.
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

/** Returns every breach of the rule in a folder of sources, each as a sentence. */
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

/**
 * Returns the room of a file: the most specific one that is listed. A file in no listed room is a room of its
 * own name.
 */
function roomOf(file, rooms) {
  const parts = file.replace(/\.tsx?$/, '').split('/');
  for (let length = parts.length; length > 0; length--) {
    const room = parts.slice(0, length).join('/');
    if (Object.hasOwn(rooms, room)) return room;
  }
  return parts.join('/');
}

/**
 * Whether a room may import a file. In the table, `room` allows what is below it, `room/*` only the files in
 * it, and `room/file` that file.
 */
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

/**
 * Returns those of `files` (a Set or a Map keyed by name) that a file imports, under the names that they have
 * there.
 */
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

/** Maps each file to the files that it imports, all relative to the folder. */
function readImports(folder) {
  const files = new Set(filesBelow(folder).filter((file) => /\.tsx?$/.test(file)));
  const imports = new Map();
  for (const file of files)
    imports.set(file, importsOf({ file, text: readFileSync(path.join(folder, file), 'utf8'), files }));
  return imports;
}

/**
 * Finds groups of files in which each file imports, directly or through others, every other one (Tarjan's
 * strongly connected components).
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
