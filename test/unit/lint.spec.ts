import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runNode } from '../support/processes.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');
/**
 * A rule that depends on imported files, like rules with type information: user.mjs is wrong if far.mjs is.
 */
const CONFIG = `
  import { readFileSync } from 'node:fs';
  const create = (context) => ({
    Program: (node) => {
      const far = readFileSync(new URL('src/far.mjs', import.meta.url), 'utf8');
      if (context.filename.endsWith('user.mjs') && far.includes('WRONG')) context.report({ node, message: 'seen' });
    },
  });
  export default [{ plugins: { our: { rules: { rule: { create } } } }, rules: { 'our/rule': 'error' } }];`;

let root = '';
const write = async (file: string, text: string): Promise<void> => {
  await mkdir(path.dirname(path.join(root, file)), { recursive: true });
  await writeFile(path.join(root, file), text);
};
const lint = async (): Promise<{ code: unknown; output: string }> => {
  await using child = runNode([path.join(root, 'scripts/lint.mjs')], { cwd: root });
  return { code: await child.ended, output: child.stdout() + child.stderr() };
};

beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'waltrail-lint-'));
  await cp(path.join(REPOSITORY, 'scripts'), path.join(root, 'scripts'), { recursive: true });
  await mkdir(path.join(root, 'node_modules'));
  for (const name of ['eslint', 'typescript'])
    await symlink(path.join(REPOSITORY, 'node_modules', name), path.join(root, 'node_modules', name));
  for (const file of ['tsconfig.json', 'test/tsconfig.json', 'src/web/tsconfig.json'])
    await write(file, '{}');
  await write('package.json', '{"type":"module"}');
  await write('package-lock.json', '{}');
  await write('eslint.config.mjs', CONFIG);
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

test('lint checks again what failed, what changed, and everything that imports a changed file directly or indirectly', async () => {
  const FAULT = { code: 1, output: expect.stringMatching(/user\.mjs\s+1:1\s+error\s+seen/) };
  const CLEAN = { code: 0, output: '' };
  await write('src/far.mjs', '// WRONG');
  await write('src/near.mjs', `import './far.mjs';`);
  await write('src/user.mjs', `import './near.mjs';`);
  expect(await lint()).toEqual(FAULT);
  expect(await lint()).toEqual(FAULT);
  await write('src/far.mjs', '// right');
  expect(await lint()).toEqual(CLEAN);
  // The text of user.mjs is the same as when it was right.
  await write('src/far.mjs', '// WRONG again');
  expect(await lint()).toEqual(FAULT);
  await write('eslint.config.mjs', 'export default [{}];');
  expect(await lint()).toEqual(CLEAN);
  await write('eslint.config.mjs', CONFIG);
  expect(await lint()).toEqual(FAULT);
});
