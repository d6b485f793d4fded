import type { Conflict, LastSetBy, SessionFacts, UnreadMessage } from './entry.js';
import { isAnswerable, memberTexts } from './json-text.js';

/** The content of `trail.entry.extra`. */
export interface Extra {
  /** JSON text; null: there is none. */
  readonly context: string | null;
  /** Id under which the context is stored in `trail.context`; null: it is here, or there is none. */
  readonly contextId: string | null;
  readonly origin: string | null;
  /** The commit time that the source claimed, if another one is stored. */
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
 * Reads what is stored beside an entry's values. Never throws. PostgreSQL's own functions refuse half of a
 * surrogate pair, NUL and great depth, which trails of earlier releases may contain; a whole page would then
 * fail for one entry. Text that may not stand in an answer as JSON becomes a JSON string of that text.
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
 * Whether the bytes of an extra may have one of the members; false: it has none. `names` are JSON strings.
 * Most rows that have an extra have nothing but a context, which need not be read for that.
 */
export function mayHaveMember(
  { bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number },
  names: readonly Buffer[],
): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    // A name may be written with escapes.
    if (byte === BACKSLASH) return true;
    if (byte === QUOTE) for (const name of names) if (begins(bytes, at, name)) return true;
  }
  return false;
}

function begins(bytes: Buffer, at: number, name: Buffer): boolean {
  for (let index = 1; index < name.length; index++) if (bytes[at + index] !== name[index]) return false;
  return true;
}

/** Returns JSON that may stand in an answer, or else a JSON string of its text. */
export const answerable = (json: string | null): string | null =>
  json === null || isAnswerable(json) ? json : JSON.stringify(json);

/** Anything but an id is ignored: an extra of before may hold whatever an application sent. */
const idOf = (text: string | null): string | null => (text !== null && /^\d{1,15}$/.test(text) ? text : null);

const stringOf = (json: string | undefined): string | null =>
  json?.startsWith('"') === true ? (JSON.parse(json) as string) : null;

/** Reads the unread message, which the pipeline writes in a fixed form. Anything else is ignored. */
function unreadOf(json: string | undefined): UnreadMessage | null {
  const members = json === undefined ? null : memberTexts(json);
  const lsn = stringOf(members?.get('lsn'));
  const reason = stringOf(members?.get('reason'));
  return lsn === null || reason === null ? null : { lsn, reason };
}

/** Reads what a session said of itself (pipeline/session-attribution.ts). */
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

/** Reads whom a row names (pipeline/other-modifier.ts). Anything else than is written there is ignored. */
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
