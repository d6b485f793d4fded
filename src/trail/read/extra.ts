import type { Conflict, LastSetBy, SessionFacts, UnreadMessage } from './entry.js';
import { isAnswerable, memberTexts } from './json-text.js';

/** The content of `trail.entry.extra`. */
export interface Extra {
  /** JSON text; null: there is none. */
  readonly context: string | null;
  /** Id of the context in `trail.context`; null: the context is in this object, or there is none. */
  readonly contextId: string | null;
  readonly origin: string | null;
  /** Commit time that the source claimed, if a different one is stored. */
  readonly claimedCommitAt: string | null;
  readonly session: SessionFacts | null;
  readonly unreadMessage: UnreadMessage | null;
  readonly lastSetBy: LastSetBy | null;
  readonly conflict: Conflict | null;
  readonly laterKey: boolean;
}

const NOTHING: Extra = {
  context: null,
  contextId: null,
  origin: null,
  claimedCommitAt: null,
  session: null,
  unreadMessage: null,
  lastSetBy: null,
  conflict: null,
  laterKey: false,
};

/**
 * Parses the data that is stored beside an entry's values. Never throws. PostgreSQL's JSON functions refuse
 * half a surrogate pair, NUL and deep nesting. Trails of earlier releases may contain these, and one such
 * entry would make a whole page fail. Text that must not appear as JSON in an answer becomes a JSON string of
 * that text.
 */
export function readExtra(extra: string | null): Extra {
  if (extra === null) return NOTHING;
  const members = memberTexts(extra);
  if (members === null) return { ...NOTHING, context: JSON.stringify(extra) };
  return {
    context: answerable(members.get('context') ?? null),
    contextId: idOf(stringOf(members.get('contextId'))),
    origin: stringOf(members.get('origin')),
    claimedCommitAt: stringOf(members.get('claimedCommitAt')),
    session: sessionOf(members.get('session')),
    unreadMessage: unreadOf(members.get('unread')),
    lastSetBy: personOf(members.get('lastSetBy')),
    conflict: conflictOf(members.get('conflict')),
    laterKey: members.get('laterKey') === 'true',
  };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Returns whether the bytes of an extra may have one of the members; false: they have none. `names` are JSON
 * strings. Most rows with an extra have only a context, which then need not be parsed.
 */
export function mayHaveMember(
  { bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number },
  names: readonly Buffer[],
): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    // An escape may hide a name.
    if (byte === BACKSLASH) return true;
    if (byte === QUOTE) for (const name of names) if (begins(bytes, at, name)) return true;
  }
  return false;
}

function begins(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let index = 1; index < name.length; index++) if (bytes[at + index] !== name[index]) return false;
  return true;
}

/** Returns the JSON unchanged if it may appear in an answer, otherwise a JSON string of its text. */
export const answerable = (json: string | null): string | null =>
  json === null || isAnswerable(json) ? json : JSON.stringify(json);

/**
 * Returns the id in a JSON text, or null. In extras of earlier releases, an application may have sent
 * anything here.
 */
const idOf = (text: string | null): string | null => (text !== null && /^\d{1,15}$/.test(text) ? text : null);

const stringOf = (json: string | undefined): string | null =>
  json?.startsWith('"') === true ? (JSON.parse(json) as string) : null;

/** Parses the unread message, which the pipeline writes in a fixed form. Anything else is ignored. */
function unreadOf(json: string | undefined): UnreadMessage | null {
  const members = json === undefined ? null : memberTexts(json);
  const lsn = stringOf(members?.get('lsn'));
  const reason = stringOf(members?.get('reason'));
  return lsn === null || reason === null ? null : { lsn, reason };
}

/** Parses the facts that a session reported about itself (pipeline/session-attribution.ts). */
function sessionOf(json: string | undefined): SessionFacts | null {
  const members = json === undefined ? null : memberTexts(json);
  const user = stringOf(members?.get('user'));
  if (user === null) return null;
  const facts: { -readonly [Name in keyof SessionFacts]: SessionFacts[Name] } = { user };
  for (const name of ['role', 'application', 'address'] as const) {
    const text = stringOf(members?.get(name));
    if (text !== null) facts[name] = text;
  }
  return facts;
}

/** Parses the person that a row names, as pipeline/other-modifier.ts writes it. Anything else is ignored. */
function personOf(json: string | undefined): LastSetBy | null {
  const members = json === undefined ? null : memberTexts(json);
  const key = stringOf(members?.get('key'));
  const name = stringOf(members?.get('name'));
  const kind = stringOf(members?.get('kind'));
  if (key === null || name === null) return null;
  return kind === 'agent' || kind === 'bot' || kind === 'system' ? { key, name, kind } : null;
}

function conflictOf(json: string | undefined): Conflict | null {
  const person = personOf(json);
  const rung = person === null ? null : stringOf(memberTexts(json!)?.get('rung'));
  return person !== null && (rung === 'witness' || rung === 'column' || rung === 'session')
    ? { rung, ...person }
    : null;
}
