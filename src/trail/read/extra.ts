import type { UnreadMessage } from './entry.js';
import { isAnswerable, memberTexts } from './json-text.js';

/** What `trail.entry.extra` says. */
export interface Extra {
  /** JSON text; null: there is none. */
  readonly context: string | null;
  readonly origin: string | null;
  /** The commit time that the source claimed, where another one is stored. */
  readonly claimedCommitAt: string | null;
  readonly unreadMessage: UnreadMessage | null;
}

const NOTHING: Extra = {
  context: null,
  origin: null,
  claimedCommitAt: null,
  unreadMessage: null,
};

/**
 * Reads what is stored beside an entry's values. Never throws: PostgreSQL's own functions refuse half of a
 * surrogate pair, NUL and great depth, which may stand in trails of earlier releases, and with them a whole
 * page for one entry. What may not stand in an answer as JSON is a string with its text.
 */
export function readExtra(extra: string | null): Extra {
  if (extra === null) return NOTHING;
  const members = memberTexts(extra);
  if (members === null) return { ...NOTHING, context: JSON.stringify(extra) };
  const context = members.get('context') ?? null;
  return {
    context: context === null || isAnswerable(context) ? context : JSON.stringify(context),
    origin: stringOf(members.get('origin')),
    claimedCommitAt: stringOf(members.get('claimedCommitAt')),
    unreadMessage: unreadOf(members.get('unread')),
  };
}

const stringOf = (json: string | undefined): string | null =>
  json?.startsWith('"') === true ? (JSON.parse(json) as string) : null;

/** Written by the pipeline in fixed words; what is not of this form says nothing. */
function unreadOf(json: string | undefined): UnreadMessage | null {
  const members = json === undefined ? null : memberTexts(json);
  const lsn = stringOf(members?.get('lsn'));
  const reason = stringOf(members?.get('reason'));
  return lsn === null || reason === null ? null : { lsn, reason };
}
