type Asked = Readonly<Record<string, unknown>>;

interface Limits {
  readonly textLength: number;
  readonly members: number;
}

/** Of a request that was refused: nobody has checked it, and anybody may send it. */
const OF_REFUSED: Limits = { textLength: 200, members: 20 };
/**
 * Of one that was answered: all that a request may hold (api/filters.ts). A route that takes no body, or no
 * query, has not checked what it was sent.
 */
const OF_ANSWERED: Limits = { textLength: 1000, members: 500 };
const DEPTH = 3;
/** A token that was sent at the wrong place. */
const SECRETS = /wt_[\w-]{20,}/g;

/**
 * Returns what was asked for, cut to what a row of the access record holds: short texts that PostgreSQL can
 * store, few members, and no token.
 */
export const storable = (asked: Asked, { isRefused }: { readonly isRefused: boolean }): Asked =>
  cut(asked, DEPTH, isRefused ? OF_REFUSED : OF_ANSWERED) as Asked;

function cut(value: unknown, depth: number, limits: Limits): unknown {
  if (typeof value === 'string') return text(value, limits);
  if (typeof value !== 'object' || value === null) return value;
  if (depth < 0) return '…';
  if (Array.isArray(value)) return value.slice(0, limits.members).map((item) => cut(item, depth - 1, limits));
  const members = Object.entries(value).slice(0, limits.members);
  return Object.fromEntries(
    members.map(([name, member]) => [text(name, limits), cut(member, depth - 1, limits)]),
  );
}

/** jsonb holds neither NUL nor half a surrogate pair: with one of them nothing would be recorded. */
const text = (value: string, { textLength }: Limits): string =>
  value
    .replace(SECRETS, 'wt_…')
    .slice(0, textLength)
    .replace(/\0|\p{Surrogate}/gu, '\u{fffd}');
