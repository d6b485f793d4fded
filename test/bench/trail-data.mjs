/** Fills trails as tests do. It compiles a module of test/support, which is TypeScript, next to the build. */
import { transformFileSync } from '@swc/core';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { silentLog } from '../../dist/log.js';
import { migrateTrail } from '../../dist/trail/migrate.js';

const DAY_MS = 86_400_000;
const DAYS = 7;

/** Migrates and seeds a trail. Returns the range of a week that contains all entries. */
export async function seedWeek({ url, entries }) {
  await migrateTrail({ url, log: silentLog });
  const { seedTrail } = await testSupport('trail-data');
  const to = new Date();
  const from = new Date(to.getTime() - DAYS * DAY_MS);
  await seedTrail({ url, entries, from, to });
  return { from: from.toISOString(), to: to.toISOString() };
}

export async function testSupport(name) {
  const folder = path.resolve(import.meta.dirname, '../../dist/bench');
  const { code } = transformFileSync(path.resolve(import.meta.dirname, `../support/${name}.ts`), {
    swcrc: false,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.mjs`);
  // Its imports of source files are found in the build.
  writeFileSync(file, code.replaceAll('../../src/', '../'));
  return import(file);
}
