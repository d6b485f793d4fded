import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';

/** What a token may do, least first: each role may do what the ones before it may. */
export const TOKEN_ROLES = ['viewer', 'exporter', 'admin'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** Who asks, as found by a token or a session. */
export interface Principal {
  readonly tokenId: string;
  readonly name: string;
  readonly role: TokenRole;
  /** Sees this tenant only; null: all. */
  readonly tenant: string | null;
}

export interface NewToken {
  /** Whose token it is, as shown in the access record. */
  readonly name: string;
  readonly role: TokenRole;
  readonly tenant?: string | null;
  readonly expiresAt?: Date | null;
  /** A sign-in code: good for one `POST /v1/session`, no API token. */
  readonly singleUse?: boolean;
}

/** A row of `waltrail token list`; the secret is not stored, so it is not here. */
export interface TokenInfo {
  readonly name: string;
  readonly role: TokenRole;
  readonly tenant: string | null;
  readonly singleUse: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

const SECRET_BYTES = 32;

/** Stores a new token and returns its secret, `wt_` and 256 random bits: the only time it is seen. */
export async function createToken(pool: pg.Pool, token: NewToken): Promise<string> {
  const secret = `wt_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  await pool.query(
    /* sql */ `insert into trail.token (name, sha256, role, tenant, expires_at, single_use) values ($1, $2, $3, $4, $5, $6)`,
    [
      token.name,
      hashSecret(secret),
      token.role,
      token.tenant ?? null,
      token.expiresAt ?? null,
      token.singleUse ?? false,
    ],
  );
  return secret;
}

/** Revokes every live token of that name, and with it its sessions; returns how many there were. */
export async function revokeTokensNamed(pool: pg.Pool, name: string): Promise<number> {
  const { rowCount } = await pool.query(
    /* sql */ `update trail.token set revoked_at = clock_timestamp() where name = $1 and revoked_at is null`,
    [name],
  );
  return rowCount ?? 0;
}

/** Every token ever made, newest first. */
export async function listTokens(pool: pg.Pool): Promise<TokenInfo[]> {
  const { rows } =
    await pool.query<TokenInfo>(/* sql */ `select name, role, tenant, single_use as "singleUse", created_at as "createdAt", expires_at as "expiresAt",
                      revoked_at as "revokedAt", last_used_at as "lastUsedAt"
                 from trail.token order by created_at desc, id`);
  return rows;
}

/**
 * The principal of an API token, or undefined when it is unknown, revoked, expired or a sign-in code. The
 * secret is found by its hash: comparing hashes of 256 random bits in an index tells a guesser nothing about
 * a secret.
 */
export async function findToken(pool: pg.Pool, secret: string): Promise<Principal | undefined> {
  const { rows } = await pool.query<Principal>(
    /* sql */ `select id as "tokenId", name, role, tenant from trail.token
                where sha256 = $1 and not single_use and revoked_at is null
                  and (expires_at is null or expires_at > clock_timestamp())`,
    [hashSecret(secret)],
  );
  return rows[0];
}

/**
 * Notes that a token was used, at most once a minute: an administrator finds tokens that nobody needs any
 * more.
 */
export async function noteTokenUse(pool: pg.Pool, tokenId: string): Promise<void> {
  await pool.query(
    /* sql */ `update trail.token set last_used_at = clock_timestamp()
                where id = $1 and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')`,
    [tokenId],
  );
}

/**
 * SHA-256, which is all that is stored of a secret. It needs no salt and no work factor: secrets are random,
 * not chosen.
 */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();
