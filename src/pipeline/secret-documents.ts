import { isSecretName } from '../tracking/secrets.js';
import { NameMemo } from './name-memo.js';

/*
 * Secrets within texts that hold a document: members of JSON, and lines of YAML. Many applications store
 * settings, credentials and old versions of rows in this way. Texts come from users, so everything here takes
 * time in proportion to their length.
 */

const TAB = 0x09;
const BLANK = 0x20;
const QUOTE = 0x22;
const DASH = 0x2d;
const BACKSLASH = 0x5c;

const MAX_NAME_LENGTH = 128;

/** A name with escapes may be that of a secret. It is decoded when the value is examined as a string. */
const names = new NameMemo((name) => name.includes('\\') || isSecretName(name));

/** Whether the name of a secret member ends before this colon: `"password":`, also with escaped quotes. */
export function isSecretMember(bytes: Buffer, colon: number, start: number): boolean {
  let end = colon - 1;
  while (end > start && (bytes[end] === BLANK || bytes[end] === TAB)) end--;
  if (bytes[end] !== QUOTE) return false;
  while (end > start && bytes[end - 1] === BACKSLASH) end--;
  const first = Math.max(start, end - MAX_NAME_LENGTH);
  for (let at = end - 1; at >= first; at--)
    if (bytes[at] === QUOTE) return names.isSecret(bytes, at + 1, end);
  return false;
}

/** Whether a secret's name ends before this colon in a text that begins as YAML does: `---`. */
export function isSecretLine(bytes: Buffer, colon: number, start: number): boolean {
  if (bytes[start] !== DASH || bytes[start + 1] !== DASH || bytes[start + 2] !== DASH) return false;
  const first = Math.max(start, colon - MAX_NAME_LENGTH);
  let at = colon;
  while (at > first && isOfName(bytes[at - 1]!)) at--;
  return at < colon && names.isSecret(bytes, at, colon);
}

/** Whether a byte may be part of a name in YAML. All but blanks, line ends, quotes and colons. */
const isOfName = (byte: number): boolean =>
  byte > BLANK && byte !== QUOTE && byte !== 0x27 /* ' */ && byte !== 0x3a; /* : */

/** Returns the text with the values of secret members masked. */
export function withoutMembers(text: string, mask: string): string {
  if (!text.includes('"')) return text;
  let masked = '';
  let done = 0;
  MEMBER.lastIndex = 0;
  for (let found = MEMBER.exec(text); found !== null; found = MEMBER.exec(text)) {
    const [, name, escapes] = found;
    if (found.index < done || !isNameOfSecret(name!)) {
      // The closing quote of this string may be the opening one of the name.
      MEMBER.lastIndex = Math.max(done, found.index + 1);
      continue;
    }
    const value = found.index + found[0].length;
    const end = endOfValue(text, value, escapes!);
    if (end < 0) continue;
    const quote = `${escapes}"`;
    masked += `${text.slice(done, value)}${quote}${mask}${quote}`;
    done = end;
    MEMBER.lastIndex = end;
  }
  return masked + text.slice(done);
}

/** A name in quotes before a colon. In JSON within JSON, backslashes stand before each quote. */
const MEMBER = /"((?:[^"\\\n]|\\[^"\\\n]){1,128})(\\{0,31})"[ \t]*:\s*/g;

/** Most judged names that are kept. When there are more, all are forgotten. */
const MAX_JUDGED = 1_000;
const judged = new Map<string, boolean>();

function isNameOfSecret(name: string): boolean {
  let secret = judged.get(name);
  if (secret === undefined) {
    secret = judge(name);
    if (judged.size >= MAX_JUDGED) judged.clear();
    judged.set(name, secret);
  }
  return secret;
}

/** Names may be bytes of UTF-8 as latin1 characters, and may have escapes. */
function judge(name: string): boolean {
  const plain = name.replace(/\\u([0-9a-f]{4})/gi, (_, code: string) =>
    String.fromCharCode(parseInt(code, 16)),
  );
  const isAscii = !/[^\0-\x7f]/.test(plain);
  return isSecretName(plain) || (!isAscii && isSecretName(Buffer.from(plain, 'latin1').toString('utf8')));
}

/** Returns the end of a string, an object or an array, or of a text that was cut. -1: anything else. */
function endOfValue(text: string, start: number, escapes: string): number {
  if (text.startsWith(`${escapes}"`, start)) return endOfString(text, start + escapes.length + 1, escapes);
  if (text[start] !== '{' && text[start] !== '[') return -1;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') at = endOfString(text, at + 1, escapes) - 1;
    else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1;
  }
  return text.length;
}

/** Returns the place after the closing quote. The opening one had this number of backslashes before it. */
function endOfString(text: string, from: number, { length }: string): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (at - slashes > from && text[at - slashes - 1] === '\\') slashes++;
    if (Math.floor(slashes / (length + 1)) % 2 === 0) return at + 1;
  }
  return text.length;
}

/** A line of YAML with a name: `  - :password: value`. */
const LINE = /^([ \t]*(?:- +)*)(["']?:?([^\s"':]{1,128})["']?:)(?=[ \t]|$)[ \t]*(.*)$/;
/** Values that are no text. */
const NO_TEXT = /^(?:|null|~|true|false|[-+]?\d+(?:\.\d+)?)$/;

/** Returns the text with the values of secret names masked, if it is YAML. */
export function withoutLines(text: string, mask: string): string {
  if (!text.startsWith('---')) return text;
  const lines = text.split('\n');
  const kept: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const found = LINE.exec(lines[at]!.replace(/\r$/, ''));
    const [, indent = '', head = '', name = '', value = ''] = found ?? [];
    if (found === null || !isNameOfSecret(name)) {
      kept.push(lines[at]!);
      continue;
    }
    const below = linesBelow(lines, at, { indent: indent.length, isOpen: value === '' });
    if (below === 0 && NO_TEXT.test(value)) kept.push(lines[at]!);
    else kept.push(`${indent}${head} ${mask}`);
    at += below;
  }
  return kept.join('\n');
}

/** Returns the number of lines that belong to the value of a line: deeper ones, and items of its list. */
function linesBelow(
  lines: readonly string[],
  at: number,
  { indent, isOpen }: { readonly indent: number; readonly isOpen: boolean },
): number {
  let count = 0;
  for (let next = at + 1; next < lines.length; next++) {
    const line = lines[next]!;
    const depth = line.search(/\S/);
    const belongs = depth > indent || (isOpen && depth === indent && line.startsWith('- ', depth));
    if (depth >= 0 && !belongs) break;
    if (belongs) count = next - at;
  }
  return count;
}
