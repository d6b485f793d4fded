import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDERS = ['.ci', '.github', 'config', 'docs', 'scripts', 'sql', 'src', 'test'];
/** References that a reader of this repository cannot follow, because their target is not in it. */
const ELSEWHERE = /\b(LAB|DESIGN|STYLE)\b|\b[Tt]he (design|issue|brief)\b|\b[Ii]ssues? #?\d+/g;
const IS_TEXT = /(^|\/)[^.]+$|\.(md|tsx?|mjs|sql|ya?ml|json|css|html)$/;
/** A released migration, which is never edited, and this file, which contains the patterns. */
const EXEMPT = new Set(['sql/trail/0004_exports.sql', 'test/unit/references.spec.ts']);

test('no file refers to a document outside the repository', () => {
  const files = readdirSync(ROOT, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile()) return [entry.name];
    if (!FOLDERS.includes(entry.name)) return [];
    return readdirSync(path.join(ROOT, entry.name), { recursive: true, withFileTypes: true })
      .filter((below) => below.isFile())
      .map((below) => path.relative(ROOT, path.join(below.parentPath, below.name)).split(path.sep).join('/'));
  });
  const texts = files.filter(
    (file) => IS_TEXT.test(file) && file !== 'package-lock.json' && !EXEMPT.has(file),
  );
  expect(texts.length).toBeGreaterThan(400);
  const found = texts.flatMap((file) =>
    [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(ELSEWHERE)].map(([text]) => `${file}: ${text}`),
  );
  expect(found).toEqual([]);
});
