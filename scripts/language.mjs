/**
 * Finds prose that CONTRIBUTING.md ("Language") rules out: words with a plainer replacement, and sentences
 * that are too long to be understood at first reading. Part of `npm run lint`.
 *
 *   node scripts/language.mjs [file or folder…]     default: every file
 *
 * Prose is what a person reads: documents without their code, comments, and strings of several words, which
 * are messages and names of tests. A released migration is never edited, and so is not looked at.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { filesBelow, isGenerated } from './files.mjs';

/** Words of the table in CONTRIBUTING.md that a pattern can find, each with what to write instead. */
const WORDS = [
  [/\banew\b/i, '"recreated" or "again"'],
  [/\bfor ever\b/i, '"forever"'],
  [/\bmend(?:s|ed|ing)?\b/i, '"fix" or "correct"'],
  [/\b(?:go|goes|gone|went|going) on\b(?! (?:to|until|as) )/i, '"continue" or "resume"'],
  [/\b(?:is|are|was|were|be) gone\b/i, '"no longer exists" or "has ended"'],
  [/\bnobody's\b/i, '"unattributed" or "without an owner"'],
  [/\b(?:tell|tells|told|telling)\b[^.;:]{0,30}\bapart\b/i, '"distinguish"'],
  [/\bpresumably\b/i, 'what is so'],
  [/\bas ever\b/i, 'what is meant'],
  [/\bfrom there on\b/i, 'what is meant'],
  [/\bso many\b/i, 'the number, or "too many"'],
  [/\bas many (?:times )?[a-z]+(?: [a-z]+){0,3} as\b/i, 'two sentences'],
  [/\bas many times what\b/i, 'a ratio: "relative to … : 1.43x"'],
  [/\bby itself\b/i, '"automatically", or "alone"'],
  [/\bmade (?:of|from) (?:it|them|its|the|this|these|that|those)\b/i, '"computed from"'],
  [/\bof which\b/i, 'two sentences'],
  [/(?:^|[.!?] )Of (?!course)[a-z]/, 'the subject first: "Returns the columns of a table"'],
];
/** Words in a sentence. CONTRIBUTING.md asks for about 30. */
const MOST_WORDS = 40;

const ROOT = path.resolve(import.meta.dirname, '..');
const READ = /\.(?:ts|tsx|mjs|md|sql|ya?ml)$|^\.ci\/run$|^Dockerfile$|^\.env\.example$/;
const isNotOurs = (name) =>
  isGenerated(name) || name === 'sql/trail' || /^test\/(?:fixtures|bench\/results)$/.test(name);

/**
 * Lists what is wrong with the prose of a file, in its order.
 *
 * @returns `{ line, found, write }[]`: the line (from 1), the words found, and what to write instead
 */
export function faultsOf(file, text) {
  return proseOf(file, text).flatMap(({ line, text: prose, isLine }) => {
    const plain = prose
      .replace(/``.*?``|`[^`]*`/g, 'x')
      .replace(/\s+/g, ' ')
      .trim();
    const words = WORDS.flatMap(([pattern, write]) => {
      const found = pattern.exec(plain)?.[0];
      return found === undefined ? [] : [{ line, found: `"${found.replace(/^[.!?] /, '')}"`, write }];
    });
    if (isLine) return words;
    const long = plain
      .split(/(?<=[.!?][)"]?) (?=[A-Z"(x])/)
      .filter((sentence) => wordsOf(sentence) > MOST_WORDS)
      .map((sentence) => ({
        line,
        found: `a sentence of ${wordsOf(sentence)} words: "${sentence.slice(0, 60)}…"`,
        write: `several of at most ${MOST_WORDS}, better 30`,
      }));
    return [...words, ...long];
  });
}

/** Words of a sentence. Signs between words are none. */
const wordsOf = (sentence) => sentence.split(' ').filter((word) => /[A-Za-z0-9]/.test(word)).length;

/**
 * Cuts a file into pieces of prose: `{ line, text, isLine }`; `isLine` marks what has no sentences to count.
 */
function proseOf(file, text) {
  if (file.endsWith('.md')) return documentProse(file, text);
  if (/\.(?:ts|tsx|mjs)$/.test(file)) return codeProse(file, text);
  if (file.endsWith('.sql')) return paragraphs(markedLines(text, /^(?:.*\s)?--\s?(.*)$/));
  return paragraphs(markedLines(text, /^(?:.*\s)?#\s(.*)$/));
}

/**
 * Paragraphs, list items and table cells of a document. Its code is left out, and the table of words itself.
 */
function documentProse(file, text) {
  let isCode = false;
  let isWords = false;
  const lines = text.split('\n').map((line, at) => {
    if (/^\s*```/.test(line)) isCode = !isCode;
    if (line.startsWith('|')) isWords ||= file === 'CONTRIBUTING.md' && line.startsWith('| Instead of');
    else isWords = false;
    return { line: at + 1, text: isCode || isWords || /^\s*```/.test(line) ? '' : line };
  });
  const cells = lines.filter(isRow).flatMap(({ line, text: row }) =>
    row
      .split(/(?<!\\)\|/)
      .map((cell) => ({ line, text: withoutLinks(cell).trim() }))
      .filter((cell) => cell.text !== ''),
  );
  const others = lines.map((line) =>
    isRow(line) ? { ...line, text: '' } : { ...line, text: withoutLinks(line.text) },
  );
  return [...paragraphs(others), ...cells].sort((a, b) => a.line - b.line);
}

const isRow = ({ text }) => text.startsWith('|');
const withoutLinks = (text) => text.replace(/\]\([^)]*\)/g, ']');

/** Comments, and strings of at least three words. */
function codeProse(file, text) {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  const literals = [];
  const visit = (node) => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
      literals.push({ from: ts.skipTrivia(text, node.pos), to: node.end, text: node.text });
    else if (ts.isJsxText(node)) literals.push({ from: node.pos, to: node.end, text: node.text });
    else if (ts.isRegularExpressionLiteral(node))
      literals.push({ from: ts.skipTrivia(text, node.pos), to: node.end, text: '' });
    else ts.forEachChild(node, visit);
  };
  visit(tree);
  const lineAt = (position) => tree.getLineAndCharacterOfPosition(position).line + 1;
  const strings = literals
    .filter((literal) => /\p{L}+ \p{L}+ \p{L}+/u.test(literal.text))
    .map((literal) => ({ line: lineAt(literal.from), text: literal.text, isLine: true }));
  // What is no literal and begins like a comment is one.
  const comments = [];
  const comment = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  let at = 0;
  for (const literal of [...literals, { from: text.length, to: text.length }]) {
    for (comment.lastIndex = at; ;) {
      const found = comment.exec(text);
      if (found === null || found.index >= literal.from) break;
      comments.push({ line: lineAt(found.index), text: found[0] });
      at = comment.lastIndex;
    }
    at = Math.max(at, literal.to);
  }
  const commentLines = comments.flatMap(({ line, text: whole }) =>
    whole.split('\n').map((part, below) => ({
      line: line + below,
      text: part.replace(/^\s*(?:\/\*\*?|\*\/|\*|\/\/)\s?/, '').replace(/\s*\*\/\s*$/, ''),
    })),
  );
  return [...paragraphs(commentLines), ...strings].sort((a, b) => a.line - b.line);
}

/** The lines on which `pattern` finds prose; its first group is the prose. */
function markedLines(text, pattern) {
  return text.split('\n').map((line, at) => ({ line: at + 1, text: pattern.exec(line)?.[1] ?? '' }));
}

/**
 * Joins lines that follow each other. An empty line, a list item, a heading and a tag begin a new paragraph.
 */
function paragraphs(lines) {
  const found = [];
  let last;
  for (const { line, text } of lines) {
    const begins = /^\s*(?:[-*]|\d+\.|#+|@\w+|>)\s/.test(text) || line !== (last?.to ?? 0) + 1;
    if (text.trim() === '') last = undefined;
    else if (last === undefined || begins) found.push((last = { line, to: line, text: text.trim() }));
    else {
      last.text += ` ${text.trim()}`;
      last.to = line;
    }
  }
  return found;
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv
    .slice(2)
    .map((name) => path.relative(ROOT, path.resolve(name)).split(path.sep).join('/'));
  const files = filesBelow(ROOT, isNotOurs).filter(
    (file) =>
      READ.test(file) &&
      file !== 'scripts/language.mjs' &&
      (wanted.length === 0 ||
        wanted.some((name) => name === '' || file === name || file.startsWith(`${name}/`))),
  );
  let count = 0;
  for (const file of files) {
    for (const { line, found, write } of faultsOf(file, readFileSync(path.join(ROOT, file), 'utf8'))) {
      process.stdout.write(`${file}:${line}: ${found}. Write ${write}.\n`);
      count++;
    }
  }
  if (count > 0) {
    process.stdout.write(`${count} places do not follow CONTRIBUTING.md, "Language".\n`);
    process.exitCode = 1;
  }
}
