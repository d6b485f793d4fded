import { LastView } from '../pg/byte-loops.js';
import { isSecretName } from '../tracking/secrets.js';
import { NameMemo } from './name-memo.js';
import { isSecretLine, isSecretMember, withoutLines, withoutMembers } from './secret-documents.js';
import { nextSign } from './secret-signs.js';

/*
 * Secrets within texts: passwords and tokens in URLs, bearer tokens, and members of documents
 * (secret-documents.ts). Texts come from users, so everything here takes time in proportion to their length,
 * whatever they have in them.
 */

const SLASH = 0x2f;
const COLON = 0x3a;
const EQUALS = 0x3d;
const LOWER = 0x20;
const CAPITAL_B = 0x42;
const SMALL_N = 0x6e;
/** Shortest text that has room for a secret: `a://bc:d@e`, `?token=abc`. */
export const SHORTEST_SECRET_BYTES = 10;

const views = new LastView();

/**
 * Whether bytes may have a secret in them, so that they must be examined as a string. Runs for every value of
 * a text column. Most values have no sign at all.
 */
export function maySecret(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < SHORTEST_SECRET_BYTES) return false;
  const view = views.of(bytes);
  let at = start - 1;
  while ((at = nextSign(view, at + 1, end)) < end) if (isSignal(bytes, at, start, end)) return true;
  return false;
}

/**
 * Whether this byte of a text is a sign of a secret: the colon of `://`, of an `authorization` or of a secret
 * member of JSON or YAML, the `=` of a parameter, the beginning of `Bearer` or `Basic`.
 */
export function isSignal(bytes: Buffer, at: number, start: number, end: number): boolean {
  switch (bytes[at]) {
    case COLON:
      return (
        isAuthority(bytes, at, end) ||
        isAuthorization(bytes, at, start) ||
        isSecretMember(bytes, at, start) ||
        isSecretLine(bytes, at, start)
      );
    case EQUALS:
      return isSecretParameter(bytes, at, start);
    case CAPITAL_B:
      return isWord(bytes, at, end, BEARER) || isWord(bytes, at, end, BASIC);
    default:
      return false;
  }
}

/** Whether this is the colon of `://`, followed by something that may be a user or a password. */
function isAuthority(bytes: Buffer, colon: number, end: number): boolean {
  const at = colon + 2;
  if (bytes[colon + 1] !== SLASH || at >= end || bytes[at] !== SLASH) return false;
  for (let place = at + 1; place < end; place++) {
    const sign = AUTHORITY_BYTES[bytes[place]!]!;
    if (sign === ENDS) return false;
    if (sign === TELLS) return true;
  }
  return false;
}

const ENDS = 1;
const TELLS = 2;
const AUTHORITY_BYTES = new Uint8Array(256);
for (const sign of '/?# \t\n"\'<>`') AUTHORITY_BYTES[sign.charCodeAt(0)] = ENDS;
for (const sign of '@:') AUTHORITY_BYTES[sign.charCodeAt(0)] = TELLS;

/** Whether a parameter with the name of a secret ends before this `=`. */
function isSecretParameter(bytes: Buffer, equals: number, start: number): boolean {
  const first = Math.max(start, equals - MAX_PARAMETER_LENGTH - 1);
  for (let at = equals - 1; at >= first; at--) {
    const sign = PARAMETER_BYTES[bytes[at]!]!;
    if (sign === OF_NAME) continue;
    return sign === BEFORE_NAME && parameters.isSecret(bytes, at + 1, equals);
  }
  return false;
}

/** A name with escapes may be that of a secret. It is decoded when the value is examined as a string. */
const parameters = new NameMemo((name) => name.includes('%') || isSecretName(name));

const MAX_PARAMETER_LENGTH = 128;
const OF_NAME = 1;
const BEFORE_NAME = 2;
const PARAMETER_BYTES = new Uint8Array(256);
for (let byte = 0; byte < 128; byte++)
  if (/[\w.~%+[\]-]/.test(String.fromCharCode(byte))) PARAMETER_BYTES[byte] = OF_NAME;
for (const sign of '?&;#') PARAMETER_BYTES[sign.charCodeAt(0)] = BEFORE_NAME;

/** Whether `authorization` ends before this colon. After it, `bearer` may be in lower case. */
const isAuthorization = (bytes: Buffer, colon: number, start: number): boolean =>
  (bytes[colon - 1]! | LOWER) === SMALL_N &&
  colon - AUTHORIZATION.length >= start &&
  isWord(bytes, colon - AUTHORIZATION.length, colon, AUTHORIZATION);

const BEARER = Buffer.from('bearer');
const BASIC = Buffer.from('basic');
const AUTHORIZATION = Buffer.from('authorization');

function isWord(bytes: Buffer, at: number, end: number, word: Buffer): boolean {
  if (end - at < word.length) return false;
  for (let index = 0; index < word.length; index++)
    if ((bytes[at + index]! | LOWER) !== word[index]) return false;
  return true;
}

/** Replaces what is masked: a whole value or a part of it. */
export const MASK = '***';

/**
 * Returns the text with its secrets masked, or null if it has none. The text may also be bytes as latin1
 * characters.
 */
export function withoutSecrets(text: string): string | null {
  const documents = withoutLines(withoutMembers(text, MASK), MASK);
  const masked = withoutTokens(withoutParameters(withoutPasswords(documents)));
  return masked === text ? null : masked;
}

/** What ends a URL within a text. */
const URL_END = /[\s"'<>`\\]/;
const QUERY = /[?#]/;
const AUTHORITY_END = /[/?#\s"'<>`\\]/;
const MAX_AUTHORITY_LENGTH = 500;
/** Length from which a user without a password is treated as a token. */
const TOKEN_LENGTH = 16;

/**
 * Masks the password in `postgres://user:password@host`, also if it has characters that should be escaped.
 */
function withoutPasswords(text: string): string {
  let masked = '';
  let from = 0;
  for (let found = text.indexOf('://'); found >= 0; found = text.indexOf('://', found + 3)) {
    const start = found + 3;
    if (start < from) continue;
    const secret = passwordAt(text, start);
    if (secret === null) continue;
    masked += text.slice(from, secret.start) + MASK;
    from = secret.end;
  }
  return masked + text.slice(from);
}

/** Finds the password or token of a URL whose authority begins at `start`. Returns null if there is none. */
function passwordAt(text: string, start: number): { readonly start: number; readonly end: number } | null {
  const stretch = text.slice(start, start + MAX_AUTHORITY_LENGTH);
  const url = upTo(stretch, URL_END);
  const strict = upTo(url, AUTHORITY_END);
  const colon = strict.indexOf(':');
  // Special characters in a password should be escaped, but often are not. After a port, a path follows.
  // After a user with a password, the last @ counts. Otherwise a part of the password would stay.
  const isPort = colon < 0 || /^\d{0,5}$/.test(strict.slice(colon + 1)) || strict.startsWith('[');
  const hasUser = strict.includes('@');
  if (!hasUser && isPort) return null;
  const authority = !hasUser ? url : colon >= 0 && colon < strict.indexOf('@') ? upTo(url, QUERY) : strict;
  const at = authority.lastIndexOf('@');
  // The URL was cut within its password, before it was stored or by the limit here.
  if (at < 0) return { start: start + colon + 1, end: start + strict.length };
  if (colon >= 0 && colon < at)
    return colon + 1 === at ? null : { start: start + colon + 1, end: start + at };
  return at < TOKEN_LENGTH ? null : { start, end: start + at };
}

const upTo = (text: string, end: RegExp): string => {
  const at = text.search(end);
  return at < 0 ? text : text.slice(0, at);
};

/**
 * A parameter such as `?reset_password_token=…`, also after `&`, `;` and `#`, and in a path without a host.
 */
const PARAMETER = /([?&;#])([\w.~%+[\]-]{1,128})=([^&#\s"'<>`\\]+)/g;

const withoutParameters = (text: string): string =>
  text.includes('=')
    ? text.replace(PARAMETER, (whole, sign: string, name: string) =>
        isSecretName(unescaped(name)) ? `${sign}${name}=${MASK}` : whole,
      )
    : text;

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Credentials of RFC 6750 and RFC 7617. A word after `basic` that belongs to a sentence is no credential. */
const TOKEN = /\b(bearer|basic)([ :=]{1,3}|%20)([\w.~+/-]{6,}=*)/gi;

const withoutTokens = (text: string): string =>
  text.replace(TOKEN, (whole, scheme: string, blank: string, token: string) =>
    /[\d=_]|[a-z][A-Z]/.test(token) || token.length > 20 ? `${scheme}${blank}${MASK}` : whole,
  );
