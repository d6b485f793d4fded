type Asked = Readonly<Record<string, unknown>>;

/** Limits of what is kept of a request that was refused: nobody has checked it, and anybody may send it. */
const TEXT_LENGTH = 200;
const MEMBERS = 20;
const DEPTH = 2;
/** A token that was sent at the wrong place. */
const SECRETS = /wt_[\w-]{20,}/g;

/**
 * Returns what was asked for, cut to what a row of the access record holds: short texts that PostgreSQL can
 * store, few members, and no token.
 */
export const storable = (asked: Asked): Asked => cut(asked, DEPTH) as Asked;

function cut(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return text(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth < 0) return '…';
  if (Array.isArray(value)) return value.slice(0, MEMBERS).map((item) => cut(item, depth - 1));
  const members = Object.entries(value).slice(0, MEMBERS);
  return Object.fromEntries(members.map(([name, member]) => [text(name), cut(member, depth - 1)]));
}

/** jsonb holds neither NUL nor half a surrogate pair: with one of them a refusal would not be recorded. */
const text = (value: string): string =>
  value
    .replace(SECRETS, 'wt_…')
    .slice(0, TEXT_LENGTH)
    .replace(/\0|\p{Surrogate}/gu, '\u{fffd}');
