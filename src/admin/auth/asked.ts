type Asked = Readonly<Record<string, unknown>>;

interface Limits {
  readonly textLength: number;
  readonly members: number;
}

/** Limits for a refused request. It was not checked, and anybody can send one. */
const OF_REFUSED: Limits = { textLength: 200, members: 20 };
/**
 * Limits for an answered request: all that a request may hold (api/filters.ts). They are needed because a
 * route without body, or without query, does not check what it was sent.
 */
const OF_ANSWERED: Limits = { textLength: 1000, members: 500 };
const DEPTH = 3;
/** Matches a token that was sent in the wrong place. */
const SECRETS = /wt_[\w-]{20,}/g;

/**
 * Returns what was requested, cut to what a row of the access record holds: short texts that PostgreSQL can
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

/** Replaces NUL and halves of surrogate pairs. jsonb cannot hold them, so the row could not be written. */
const text = (value: string, { textLength }: Limits): string =>
  value
    .replace(SECRETS, 'wt_…')
    .slice(0, textLength)
    .replace(/\0|\p{Surrogate}/gu, '\u{fffd}');
