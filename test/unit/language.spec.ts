import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.resolve(import.meta.dirname, '../..');
const { faultsOf } = (await import(pathToFileURL(path.join(ROOT, 'scripts/language.mjs')).href)) as {
  faultsOf: (file: string, text: string) => { line: number; found: string; write: string }[];
};

/** Joined when run, so that the check of this file itself finds nothing. */
const RULED_OUT = ['me' + 'nd the cause', 'an' + 'ew', 'presum' + 'ably', 'for e' + 'ver'];
const found = (file: string, text: string): string[] =>
  faultsOf(file, text).map(({ line, found: words }) => `${line} ${words}`);

describe('the check of the language finds a word that is ruled out', () => {
  const words = RULED_OUT[0]!;
  test.each([
    ['a document', 'a.md', `# Title\n\nFirst ${words}.\n`, 3],
    ['a cell of a table', 'a.md', `| a | b |\n|---|---|\n| c | ${words} |\n`, 3],
    ['a doc comment', 'a.ts', `/**\n * Then ${words}.\n */\nconst a = 1;\n`, 2],
    ['a comment after code', 'a.mjs', `const a = 1; // then ${words}\n`, 1],
    ['a message', 'a.ts', `throw new Error('first ${words}');\n`, 1],
    ['a part of a template', 'a.ts', 'const a = `${x} ' + words + ' ${y}`;\n', 1],
    ['the text of a page', 'a.tsx', `const a = <p>First ${words}.</p>;\n`, 1],
    ['SQL', 'a.sql', `select 1; -- then ${words}\n`, 1],
    ['YAML', 'a.yaml', `a: 1 # then ${words}\n`, 1],
  ])('in %s', (_, file, text, line) => {
    expect(found(file, text)).toEqual([`${line} "mend"`.replace('mend', words.split(' ')[0]!)]);
  });
});

test.each([
  ['a block of code', 'a.md', `\`\`\`sh\n${RULED_OUT.join('\n')}\n\`\`\`\n`],
  ['code in a line', 'a.md', `Type \`${RULED_OUT[1]}\`.\n`],
  ['a name', 'a.ts', `const x = ${RULED_OUT[1]}();\n`],
  ['what looks like a comment in a string', 'a.ts', `const x = '// ${RULED_OUT[1]}';\n`],
])('the check of the language passes over %s', (_, file, text) => {
  expect(found(file, text)).toEqual([]);
});

test('a sentence of more than 40 words is found in comments and documents, with its line', () => {
  const words = (count: number): string => `The ${'word '.repeat(count - 2)}ends.`;
  expect(found('a.md', `Short.\n\n${words(40)}\n\n${words(41)}\n`)).toEqual([
    expect.stringMatching(/^5 a sentence of 41 words/),
  ]);
  // Lines of one paragraph are joined, and sentences are counted one by one.
  expect(found('a.ts', `/**\n * ${words(30)}\n * ${words(30)}\n */\n`)).toEqual([]);
  expect(found('a.ts', `// The ${'word '.repeat(20)}\n// ${'word '.repeat(25)}ends.\n`)).toEqual([
    expect.stringMatching(/^1 a sentence of 47 words/),
  ]);
});

test('every word of the list in CONTRIBUTING.md that a pattern can find is found', async () => {
  const text = await readFile(path.join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| "/.test(line));
  const quoted = rows.flatMap((row) =>
    [...row.split(' | ')[0]!.matchAll(/"([^"]+)"/g)].map(([, one]) => one!),
  );
  // These need a reader, because they are right in other places.
  const needsReader = [
    "Those of the chunks whose commit times are all the filter's",
    'behind',
    'the row behind it',
    'whose … that',
    'said',
    'made of',
    'made from',
    'meanwhile',
    'Nobody reads unseen.',
  ];
  const patterned = quoted.filter((one) => !needsReader.includes(one));
  const sentence = (one: string): string =>
    one.replace('apart', 'them apart').replace('…', 'rows').replace(/^Of$/, 'Of rows');
  expect(patterned.filter((one) => found('a.md', `${sentence(one)}\n`).length === 0)).toEqual([]);
  expect(patterned.length).toBeGreaterThan(15);
});
