import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SourceTextModule } from 'node:vm';
import { expect, test } from '@jest/globals';

interface Guard {
  readonly guard: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly spec: string;
  readonly test: string;
}

const ROOT = path.resolve(import.meta.dirname, '../..');
const { GUARDS } = (await import(path.join(ROOT, 'test/faults/guard-table.mjs'))) as {
  GUARDS: readonly Guard[];
};

test.each(GUARDS)(
  'the guard "$guard" exists exactly once where npm run test:guards looks for it',
  ({ file, from, to, spec }) => {
    const parts = readFileSync(path.join(ROOT, file), 'utf8').split(from);
    expect(parts).toHaveLength(2);
    expect(existsSync(path.join(ROOT, spec))).toBe(true);
    // Without the guard, the file must still be a valid program: a test of a file that cannot be loaded
    // proves nothing. This also finds private names that no longer exist.
    if (file.endsWith('.js')) expect(() => new SourceTextModule(parts.join(to))).not.toThrow();
  },
);

test('every guard is in the table of test/faults/README.md, with its test', () => {
  const readme = readFileSync(path.join(ROOT, 'test/faults/README.md'), 'utf8');
  for (const { guard, spec, test: name } of GUARDS) {
    const file = path.relative('test/faults', spec).replace('.spec.ts', '');
    expect(readme).toContain(`| ${guard} | \`${file}\`: ${name.replaceAll('|', '\\|')} |`);
  }
});
