import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';

/** The roles of tokens, weakest first: each role includes the rights of those before it. */
export const TOKEN_ROLES = ['viewer', 'exporter', 'admin'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** The authenticated requester, identified by a token or a session. */
export interface Principal {
  readonly tokenId: string;
  readonly name: string;
  readonly role: TokenRole;
  /** The only tenant that the principal sees. Null: it sees all tenants. */
  readonly tenant: string | null;
}

export interface NewToken {
  /** The owner of the token, as shown in the access record. */
  readonly name: string;
  readonly role: TokenRole;
  readonly tenant?: string | null;
  readonly expiresAt?: Date | null;
  /** Whether it is a sign-in code, which is valid for one `POST /v1/session` and is no API token. */
  readonly singleUse?: boolean;
}

/** A row of `waltrail token list`. It has no secret, because secrets are not stored. */
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

/**
 * Stores a new token and returns its secret: `wt_` followed by 256 random bits. The secret cannot be shown
 * again. Needs the rights of the trail's owner: no other role of the trail may create a token.
 */
export async function createToken(pool: pg.Pool, token: NewToken): Promise<string> {
  const secret = `wt_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  await pool.query(
    /* sql */ `insert into trail.token (name, sha256, role, tenant, expires_at, single_use) values ($1, sha256($2), $3, $4, $5, $6)`,
    [
      token.name,
      proofOf(secret),
      token.role,
      token.tenant ?? null,
      token.expiresAt ?? null,
      token.singleUse ?? false,
    ],
  );
  return secret;
}

/**
 * Revokes all tokens of a name that are not revoked yet, and ends their sessions. Returns the number of these
 * tokens. Needs the rights of the trail's owner.
 */
export async function revokeTokensNamed(pool: pg.Pool, name: string): Promise<number> {
  const { rowCount } = await pool.query(
    /* sql */ `update trail.token set revoked_at = clock_timestamp() where name = $1 and revoked_at is null`,
    [name],
  );
  return rowCount ?? 0;
}

/** Returns every token that was ever created, newest first. Needs the rights of the trail's owner. */
export async function listTokens(pool: pg.Pool): Promise<TokenInfo[]> {
  const { rows } =
    await pool.query<TokenInfo>(/* sql */ `select name, role, tenant, single_use as "singleUse", created_at as "createdAt", expires_at as "expiresAt",
                      revoked_at as "revokedAt", last_used_at as "lastUsedAt"
                 from trail.token order by created_at desc, id`);
  return rows;
}

/**
 * Returns the principal of an API token, or undefined if it is unknown, revoked, expired or a sign-in code.
 * The secret is found by its hash. Comparing hashes of 256 random bits in an index tells a guesser nothing
 * about a secret.
 */
export async function findToken(pool: pg.Pool, secret: string): Promise<Principal | undefined> {
  const { rows } = await pool.query<Principal>(
    /* sql */ `select token_id as "tokenId", name, role, tenant from trail.token_principal($1)`,
    [proofOf(secret)],
  );
  return rows[0];
}

/**
 * Records that a token was used, at most once a minute, so that an administrator can find tokens that are no
 * longer needed.
 */
export async function noteTokenUse(pool: pg.Pool, secret: string): Promise<void> {
  await pool.query(/* sql */ `select trail.note_token_use($1)`, [proofOf(secret)]);
}

/**
 * Returns the proof that the caller has a secret: its SHA-256. The trail stores the SHA-256 of that proof.
 * Neither salt nor work factor is needed, because secrets are random and not chosen. A proof in a log of
 * statements is not a secret: nobody can sign in with it.
 */
export const proofOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
