/**
 * Checks the import rule: which room may import which in `src/`, and that no files import each other in a
 * circle. `npm run lint` runs it. Imports of types count like imports of values, and so does a file of code
 * that `new URL('file.js', import.meta.url)` names. Changing the table is a design decision: record it in
 * DECISIONS.md.
 *
 * node scripts/imports.mjs [FOLDER]     checks another folder than `src`
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { filesBelow, SHARED_WITH_PAGE } from './files.mjs';

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
  'change-text': [],
  'zone-offset': [],
  pg: ['errors', 'log'],
  pgoutput: ['errors', 'pg/lsn', 'pg/text', 'pg/byte-loops'],
  source: ['errors', 'log', 'pg', 'pgoutput'],
  tracking: ['errors', 'log', 'pg'],
  api: ['errors', 'tracking/nearest'],
  pipeline: ['errors', 'log', 'pg', 'pgoutput', 'tracking'],
  trail: ['errors', 'log', 'pg', 'pipeline/ports'],
  'trail/write': ['errors', 'log', 'pg', 'pipeline/ports', 'tracking/rules', 'trail/*'],
  'trail/read': ['errors', 'log', 'zone-offset', 'api', 'pg', 'pipeline/ports', 'tracking/rules', 'trail/*'],
  proof: ['errors', 'pg', 'pipeline/ports', 'trail/*'],
  capture: ['errors', 'log', 'pg', 'pgoutput', 'source', 'tracking', 'pipeline', 'trail/*', 'trail/write'],
  exports: ['errors', 'log', 'version', 'change-text', 'zone-offset', 'api', 'pg', 'trail/*', 'trail/read'],
  'admin/auth': ['errors', 'log'],
  'admin/stream': ['errors', 'log', 'trail/read', 'admin/auth'],
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
    'pg/connect-error',
    'pg/server-message',
    'pg/sql-state',
    'trail/read',
    'exports',
    'admin/auth',
    'admin/stream',
    'admin/routes',
  ],
  'web/exact-json': [],
  'web/api-types': ['api', 'web/exact-json'],
  'web/time': ['zone-offset'],
  'web/http': ['web/exact-json', 'web/api-types'],
  'web/feed': ['web/api-types', 'web/http'],
  'web/texts': ['web/api-types'],
  'web/entry': ['change-text', 'web/exact-json', 'web/api-types', 'web/time', 'web/texts'],
  'web/state': [
    'web/exact-json',
    'web/api-types',
    'web/time',
    'web/http',
    'web/feed',
    'web/texts',
    'web/entry',
  ],
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
  embedded: ['errors', 'log', 'pg'],
  'current-config': ['errors', 'tracking/rules'],
  main: [
    'errors',
    'current-config',
    'settings',
    'log',
    'version',
    'teardown',
    'tracking/rules',
    'trail/*',
    'trail/read',
    'capture',
    'exports',
    'admin',
  ],
  doctor: ['errors', 'pg', 'tracking', 'trail/*', 'trail/read'],
  init: ['errors', 'pg', 'tracking'],
  explain: ['errors', 'pg', 'pgoutput', 'pipeline', 'tracking', 'trail/*', 'trail/read'],
  cli: [
    'errors',
    'settings',
    'log',
    'version',
    'teardown',
    'pg',
    'tracking',
    'trail',
    'proof',
    'doctor',
    'init',
    'explain',
    'admin/auth/tokens',
    'embedded',
    'main',
  ],
};

/**
 * The folder of the page. The page imports only types of other rooms, because values would add their packages
 * to its bundle. The exception is files that import nothing.
 */
const PAGE = 'web/';

/** Returns every breach of the rule in a folder of sources, each as a sentence. */
export function breaches(folder, rooms = ROOMS) {
  const imports = readImports(folder);
  const found = [];
  for (const [file, edges] of imports)
    found.push(...edges.flatMap((edge) => breachOf(file, edge, rooms) ?? []));
  for (const circle of circles(imports))
    found.push(`These files import each other in a circle: ${circle.join(', ')}.`);
  return [...new Set(found)];
}

/** Returns how one import breaches the rule; undefined if it does not. */
function breachOf(file, { name, target, isType }, rooms) {
  if (target === undefined) {
    if (file.startsWith(PAGE) && name.endsWith('.css')) return undefined;
    return (
      `${file} imports ${name}, which is no source file below src/: ` +
      'write the name with its extension, and import nothing from outside.'
    );
  }
  const room = roomOf(file, rooms);
  if (!mayImport(room, target, rooms))
    return `${file} imports ${target}: ${room} may not; see src/README.md, "The import rule".`;
  if (file.startsWith(PAGE) && !target.startsWith(PAGE) && !SHARED_WITH_PAGE.includes(target) && !isType)
    return (
      `${file} imports values of ${target}: ${PAGE} takes only types of other rooms, ` +
      'each with `import type` or `export type`.'
    );
  return undefined;
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
export function importsOf(source) {
  const targets = edgesOf(source).map(({ target }) => target);
  return [...new Set(targets.filter((target) => target !== undefined))];
}

/**
 * Returns what a file imports by path, and not by the name of a package. `target` is undefined if `files`
 * does not have it.
 */
function edgesOf({ file, text, files }) {
  return specifiersIn(file, text)
    .filter(({ name }) => /^[./]/.test(name))
    .map(({ name, isType }) => ({ name, isType, target: resolve(file, name, files) }));
}

/** Returns the name in `files` of what a file imports as `name`. */
function resolve(file, name, files) {
  if (name.startsWith('/')) return undefined;
  const place = path.posix.join(path.posix.dirname(file), name);
  return [place, place.replace(/\.js$/, '.ts'), place.replace(/\.js$/, '.tsx')].find((one) => files.has(one));
}

/**
 * Returns what a file imports, as it is written there. `isType` is true only where every compiler removes the
 * whole import: of `import { type X } from`, one may leave an import of nothing, which still loads the file.
 */
function specifiersIn(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const found = [];
  const add = (node, isType) => {
    if (node !== undefined && ts.isStringLiteralLike(node)) found.push({ name: node.text, isType });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportEqualsDeclaration(node)) add(node.moduleReference.expression, node.isTypeOnly);
    else if (ts.isImportTypeNode(node)) add(node.argument.literal, true);
    else if (ts.isModuleDeclaration(node)) add(node.name, true);
    else if (ts.isCallExpression(node) && isLoading(node.expression)) add(node.arguments[0], false);
    else if (ts.isNewExpression(node)) {
      const name = codeBeside(node, source);
      if (name !== undefined) found.push({ name, isType: false });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Whether what is called is `import` or `require`. */
function isLoading(called) {
  return (
    called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require')
  );
}

/**
 * Returns the file of code that `new URL('thread.js', import.meta.url)` names, as an import would name it.
 * Such a file is started as a thread or a process. Returns undefined for any other expression.
 */
function codeBeside(node, source) {
  const [name, base] = node.arguments ?? [];
  if (node.expression.getText(source) !== 'URL' || base?.getText(source) !== 'import.meta.url')
    return undefined;
  if (!ts.isStringLiteralLike(name) || !/\.[cm]?[jt]sx?$/.test(name.text)) return undefined;
  return /^(?:[./]|\w+:)/.test(name.text) ? name.text : `./${name.text}`;
}

/** Maps each file to what it imports, all relative to the folder. */
function readImports(folder) {
  const files = new Set(filesBelow(folder).filter((file) => /\.tsx?$/.test(file)));
  const imports = new Map();
  for (const file of files)
    imports.set(file, edgesOf({ file, text: readFileSync(path.join(folder, file), 'utf8'), files }));
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
    for (const { target } of imports.get(file)) {
      if (target === undefined) continue;
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
