import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

type Rooms = Readonly<Record<string, readonly string[]>>;

const ROOT = path.resolve(import.meta.dirname, '../..');
const SCRIPT = path.join(ROOT, 'scripts/imports.mjs');
const run = promisify(execFile);
const { breaches, ROOMS: OUR_ROOMS } = (await import(pathToFileURL(SCRIPT).href)) as {
  breaches: (folder: string, rooms?: Rooms) => string[];
  ROOMS: Rooms;
};
const { SHARED_WITH_PAGE } = (await import(pathToFileURL(path.join(ROOT, 'scripts/files.mjs')).href)) as {
  SHARED_WITH_PAGE: readonly string[];
};

/**
 * `low` may import nothing. `high` may import `low`, the files of `mid` and one file of `other`. In the page,
 * `web/types` may import `low`, and `web/ui` may import `web/types`.
 */
const ROOMS = {
  low: [],
  mid: [],
  'mid/inner': ['mid/*'],
  other: [],
  high: ['low', 'mid/*', 'other/open'],
  'web/types': ['low'],
  'web/ui': ['web/types'],
};

describe('the import rule', () => {
  let folder = '';
  const breachesOf = async (files: Readonly<Record<string, string>>): Promise<string[]> => {
    for (const [file, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    }
    return breaches(folder, ROOMS);
  };
  const refusal = (file: string, target: string, room: string): string =>
    `${file} imports ${target}: ${room} may not; see src/README.md, "The import rule".`;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-imports-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("allows imports within a room, imports that the room's row names, and packages", async () => {
    expect(
      await breachesOf({
        'low/a.ts': `import { b } from './b.js'; import path from 'node:path'; import pg from 'pg';`,
        'low/b.ts': 'export const b = 1;',
        'low/deep/c.ts': `import { b } from '../b.js';`,
        'other/open.ts': 'export {};',
        'high/a.ts': `import '../low/deep/c.js'; import '../other/open.js';`,
      }),
    ).toEqual([]);
  });

  test('reports an import of a higher room, with the file that has it', async () => {
    expect(
      await breachesOf({
        'low/a.ts': `import { x } from '../high/x.js';`,
        'high/x.ts': 'export const x = 1;',
      }),
    ).toEqual([refusal('low/a.ts', 'high/x.ts', 'low')]);
  });

  test.each([
    ['of a type', `import type { X } from '../high/x.js';`],
    ['of a type among values', `import { type X } from '../high/x.js';`],
    ['that is passed on', `export { X } from '../high/x.js';`],
    ['of everything', `export * from '../high/x.js';`],
    ['on demand', `const loaded = await import('../high/x.js');`],
    ['inside a type', `let x: import('../high/x.js').X;`],
    ['by require', `import x = require('../high/x.js');`],
    ['that extends a module', `export {}; declare module '../high/x.js' {}`],
    ['for a thread', `new Worker(new URL('../high/x.js', import.meta.url), { name: 'x' });`],
    ['for a process', `fork(fileURLToPath(new URL(\`../high/x.js\`, import.meta.url)));`],
  ])('an import %s counts like any other import', async (_, text) => {
    expect(await breachesOf({ 'low/a.ts': text, 'high/x.ts': 'export type X = 1;' })).toEqual([
      refusal('low/a.ts', 'high/x.ts', 'low'),
    ]);
  });

  test('`room/file` permits this file only', async () => {
    expect(
      await breachesOf({
        'high/a.ts': `import '../other/shut.js'; import '../other/open.js';`,
        'other/open.ts': '',
        'other/shut.ts': '',
      }),
    ).toEqual([refusal('high/a.ts', 'other/shut.ts', 'high')]);
  });

  test('a room inside a room is separate: `room/*` does not include it', async () => {
    expect(
      await breachesOf({
        'mid/a.ts': 'export {};',
        'mid/inner/b.ts': `import '../a.js';`,
        'high/c.ts': `import '../mid/a.js'; import '../mid/inner/b.js';`,
      }),
    ).toEqual([refusal('high/c.ts', 'mid/inner/b.ts', 'high')]);
    await rm(path.join(folder, 'high'), { recursive: true });
    expect(await breachesOf({ 'mid/d.ts': `import './inner/b.js';` })).toEqual([
      refusal('mid/d.ts', 'mid/inner/b.ts', 'mid'),
    ]);
  });

  test('a file outside all rooms may import nothing', async () => {
    expect(await breachesOf({ 'loose.ts': `import './low/a.js';`, 'low/a.ts': '' })).toEqual([
      refusal('loose.ts', 'low/a.ts', 'loose'),
    ]);
  });

  test.each([
    './row',
    './rows',
    './gone.js',
    './data.json',
    './look.css',
    '../../scripts/run.mjs',
    '../../test/x.js',
    '/row.js',
  ])('refuses an import of %s, because no source file has exactly this name', async (name) => {
    const sentence =
      `low/a.ts imports ${name}, which is no source file below src/: ` +
      'write the name with its extension, and import nothing from outside.';
    expect(
      await breachesOf({
        'low/a.ts': `import '${name}';`,
        'low/row.tsx': '',
        'low/rows/index.ts': '',
        'low/data.json': '{}',
        'low/look.css': '',
      }),
    ).toEqual([sentence]);
  });

  test('the page may import style sheets', async () => {
    expect(await breachesOf({ 'web/ui/a.tsx': `import './a.css';` })).toEqual([]);
  });

  test('finds a code file in a URL even without `./`, and ignores other files and other origins', async () => {
    expect(
      await breachesOf({
        'low/a.ts': `new URL('b.js', import.meta.url);`,
        'low/b.ts': `import './a.js';`,
      }),
    ).toEqual(['These files import each other in a circle: low/a.ts, low/b.ts.']);
    expect(
      await breachesOf({
        'low/a.ts': `
          new URL('../package.json', import.meta.url);
          new URL('https://example.org/x.js', import.meta.url);
          new URL('b.js', 'https://example.org');
          new URL(place);`,
      }),
    ).toEqual([]);
  });

  test.each([
    ['of a value', `import { x } from '../../low/x.js';`],
    ['of a type among values', `import { type X } from '../../low/x.js';`],
    ['that loads it', `import '../../low/x.js';`],
    ['that is passed on', `export { x } from '../../low/x.js';`],
    ['on demand', `const { x } = await import('../../low/x.js');`],
    ['for a thread', `new Worker(new URL('../../low/x.js', import.meta.url));`],
  ])('the page may not have an import %s from another room', async (_, text) => {
    const sentence =
      'web/types/a.ts imports values of low/x.ts: web/ takes only types of other rooms, ' +
      'each with `import type` or `export type`.';
    expect(await breachesOf({ 'web/types/a.ts': text, 'low/x.ts': 'export const x = 1;' })).toEqual([
      sentence,
    ]);
  });

  test('the page may import types from another room, and values from its own', async () => {
    expect(
      await breachesOf({
        'web/types/a.ts': `
          import type { X } from '../../low/x.js';
          export type { Y } from '../../low/x.js';
          export type Z = import('../../low/x.js').Z;`,
        'web/ui/b.tsx': `import { y } from '../types/a.ts';`,
        'low/x.ts': 'export const x = 1;',
      }),
    ).toEqual([]);
  });

  test('the page may import values from files that it shares with the server, which import nothing', async () => {
    const rooms = { 'zone-offset': [], 'web/time': ['zone-offset'] };
    await breachesOf({
      'zone-offset.ts': 'export const x = 1;',
      'web/time/a.ts': `import { x } from '../../zone-offset.ts';`,
    });
    expect(breaches(folder, rooms)).toEqual([]);
    expect(SHARED_WITH_PAGE.length).toBeGreaterThan(0);
    for (const file of SHARED_WITH_PAGE)
      expect(await readFile(path.join(ROOT, 'src', file), 'utf8')).not.toMatch(
        /\b(?:import|require)\b\s*[({'"*\w]/,
      );
  });

  test('reports files that import each other in a circle, through other files and within one room, too', async () => {
    expect(
      await breachesOf({
        'low/a.ts': `import './b.js';`,
        'low/b.ts': `import type { C } from './c.js';`,
        'low/c.tsx': `import './a.js';`,
        'low/d.ts': `import './a.js';`,
      }),
    ).toEqual(['These files import each other in a circle: low/a.ts, low/b.ts, low/c.tsx.']);
  });

  test('only code that starts the daemon or runs a command may import the settings', () => {
    const allowed = Object.entries(OUR_ROOMS).filter(([, names]) => names.includes('settings'));
    expect(allowed.map(([room]) => room)).toEqual(['main', 'cli']);
  });

  test('exits with 1 as a command and prints each breach', async () => {
    await breachesOf({ 'pg/a.ts': `import '../capture/b.js';`, 'capture/b.ts': '' });
    await expect(run(process.execPath, [SCRIPT, folder])).rejects.toMatchObject({
      code: 1,
      stderr: `${refusal('pg/a.ts', 'capture/b.ts', 'pg')}\n`,
    });
    await writeFile(path.join(folder, 'pg/a.ts'), '');
    await expect(run(process.execPath, [SCRIPT, folder])).resolves.toMatchObject({
      stderr: '',
    });
  });
});

test("ESLint's rules about Nest, pg and the environment apply to .tsx as well as .ts", async () => {
  const restrictions = async (file: string): Promise<Record<string, unknown>> => {
    const eslint = path.join(ROOT, 'node_modules/eslint/bin/eslint.js');
    const { stdout } = await run(process.execPath, [eslint, '--print-config', file], { cwd: ROOT });
    const { rules } = JSON.parse(stdout) as { rules: Record<string, unknown> };
    return Object.fromEntries(Object.entries(rules).filter(([name]) => name.startsWith('no-restricted-')));
  };
  const [ofTs, ofTsx] = await Promise.all([restrictions('src/web/a.ts'), restrictions('src/web/a.tsx')]);
  expect(Object.keys(ofTs).sort()).toEqual([
    'no-restricted-imports',
    'no-restricted-properties',
    'no-restricted-syntax',
  ]);
  expect(ofTsx).toEqual(ofTs);
});
