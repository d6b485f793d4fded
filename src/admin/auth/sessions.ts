import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { hashSecret, type Principal } from './tokens.js';

/**
 * Lifetime of a session: a working day, so that everybody signs in again every morning, whatever was left
 * open overnight.
 */
const SESSION_HOURS = 12;

export interface OpenedSession {
  readonly principal: Principal;
  /** The cookie's value; only its hash is stored. */
  readonly secret: string;
  readonly expiresAt: Date;
}

/**
 * Opens a session for an API token or a one-time sign-in code. Returns undefined if it is unknown, revoked,
 * expired or spent. One statement spends the code and opens the session: if two browsers bring the same code,
 * the row lock lets only one in. A session never outlives its API token. It does outlive a sign-in code,
 * which is valid for minutes only.
 */
export async function openSession(pool: pg.Pool, tokenOrCode: string): Promise<OpenedSession | undefined> {
  await pool.query(/* sql */ `delete from trail.session where expires_at < clock_timestamp()`);
  const secret = randomBytes(32).toString('base64url');
  const { rows } = await pool.query<Principal & { expiresAt: Date }>(
    /* sql */ `with token as (
                 update trail.token set last_used_at = clock_timestamp()
                  where sha256 = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
                    and (not single_use or last_used_at is null)
                 returning id, name, role, tenant, single_use, expires_at
               ), session as (
                 insert into trail.session (sha256, token_id, expires_at)
                 select $2, id, least(clock_timestamp() + make_interval(hours => $3), case when not single_use then expires_at end)
                   from token
                 returning expires_at
               )
               select token.id as "tokenId", name, role, tenant, session.expires_at as "expiresAt" from token, session`,
    [hashSecret(tokenOrCode), hashSecret(secret), SESSION_HOURS],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { expiresAt, ...principal } = row;
  return { principal, secret, expiresAt };
}

/**
 * Returns the principal of a session cookie, or undefined if it is unknown or expired, or if its token was
 * revoked.
 */
export async function findSession(pool: pg.Pool, secret: string): Promise<Principal | undefined> {
  const { rows } = await pool.query<Principal>(
    /* sql */ `select token.id as "tokenId", token.name, token.role, token.tenant
                 from trail.session join trail.token on token.id = session.token_id
                where session.sha256 = $1 and session.expires_at > clock_timestamp() and token.revoked_at is null`,
    [hashSecret(secret)],
  );
  return rows[0];
}

/** Ends a session. An unknown session is not an error. */
export async function closeSession(pool: pg.Pool, secret: string): Promise<void> {
  await pool.query(/* sql */ `delete from trail.session where sha256 = $1`, [hashSecret(secret)]);
}
