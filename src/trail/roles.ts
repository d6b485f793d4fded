import type pg from 'pg';
import { codeOf } from '../errors.js';
import { createPool } from '../pg/connect.js';
import { quoteIdentifier } from '../pg/quote.js';
import { INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT } from '../pg/sql-state.js';

/** Keys of `trail.urls` in the YAML, one for each role. */
export type TrailLogin = 'writer' | 'reader' | 'api' | 'keeper';

/** Group roles, which sql/trail/0006_roles.sql creates and gives their rights. */
export type TrailRole = `waltrail_${TrailLogin}`;

/** URLs of a trail in the YAML. `urls` has the URLs of logins with one role each. */
export interface TrailUrls {
  readonly url: string;
  readonly urls?: Readonly<Partial<Record<TrailLogin, string>>>;
}

/** Returns the URL through which a role is used: its own if it has one, else `url`. */
export const urlOf = ({ url, urls = {} }: TrailUrls, login: TrailLogin): string => urls[login] ?? url;

/**
 * SQLSTATEs of a failed SET ROLE. The first: the login may not take the role. The other two: the role does
 * not exist.
 */
const NOT_OURS: readonly string[] = [INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT];

/**
 * Limits a connection to the rights of a role until it is closed. Returns false if the role does not exist or
 * the login may not take it, for example because a DBA did not let Waltrail create roles. The connection then
 * keeps the login's own rights.
 */
export async function takeRole(client: pg.ClientBase, role: TrailRole): Promise<boolean> {
  try {
    // Attempted rather than looked up, because the effect of a membership differs between versions of
    // PostgreSQL.
    await client.query(`set role ${quoteIdentifier(role)}`);
    return true;
  } catch (error) {
    if (NOT_OURS.includes(codeOf(error) ?? '')) return false;
    throw error;
  }
}

/**
 * Opens a connection pool on the trail. If the login may take the role, the connections have only its rights.
 * The caller ends the pool.
 */
export function openTrailPool(options: {
  readonly url: string;
  readonly purpose: string;
  readonly role: TrailRole;
  readonly max: number;
  readonly statementTimeoutMs?: number;
}): pg.Pool {
  return createPool({ ...options, side: 'trail', onConnect: (client) => takeRole(client, options.role) });
}
