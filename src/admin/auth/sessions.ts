import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { proofOf, type Principal } from './tokens.js';

export interface OpenedSession {
  readonly principal: Principal;
  /** The cookie's value; only the hash of its proof is stored. */
  readonly secret: string;
  readonly expiresAt: Date;
}

/**
 * Opens a session for an API token or a one-time sign-in code. This spends a code. Returns undefined if the
 * token or code is unknown, revoked, expired or spent. A session lasts 12 hours (`trail.open_session`), which
 * is a working day: everybody signs in again every morning, even if a page was left open overnight. A session
 * that is not used for `idleMinutes` ends earlier.
 */
export async function openSession(
  pool: pg.Pool,
  { tokenOrCode, idleMinutes }: { readonly tokenOrCode: string; readonly idleMinutes: number },
): Promise<OpenedSession | undefined> {
  const secret = randomBytes(32).toString('base64url');
  const { rows } = await pool.query<Principal & { expiresAt: Date }>(
    /* sql */ `select token_id as "tokenId", name, role, tenant, expires_at as "expiresAt"
                 from trail.open_session($1, $2, make_interval(mins => $3))`,
    [proofOf(tokenOrCode), proofOf(secret), idleMinutes],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { expiresAt, ...principal } = row;
  return { principal, secret, expiresAt };
}

/**
 * Returns the principal of a session cookie. Returns undefined if the session is unknown, expired or was not
 * used for too long, or if its token was revoked. `byPerson`: this counts as a use.
 */
export async function findSession(
  pool: pg.Pool,
  { secret, byPerson }: { readonly secret: string; readonly byPerson: boolean },
): Promise<Principal | undefined> {
  const { rows } = await pool.query<Principal>(
    /* sql */ `select token_id as "tokenId", name, role, tenant from trail.session_principal($1, $2)`,
    [proofOf(secret), byPerson],
  );
  return rows[0];
}

/** Ends a session. An unknown session is not an error. */
export async function closeSession(pool: pg.Pool, secret: string): Promise<void> {
  await pool.query(/* sql */ `select trail.close_session($1)`, [proofOf(secret)]);
}
