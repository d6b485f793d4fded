import type pg from 'pg';
import { codeOf } from '../errors.js';
import { createPool } from '../pg/connect.js';
import { quoteIdentifier } from '../pg/quote.js';
import { INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT } from '../pg/sql-state.js';

/** The keys of the roles in `trail.urls` of the YAML. */
export type TrailLogin = 'writer' | 'reader' | 'api' | 'keeper';

/** Group roles of sql/trail/0006_roles.sql, which says what each may do. */
export type TrailRole = `waltrail_${TrailLogin}`;

/** How the YAML leads to a trail: `urls` are those of logins that have one role. */
export interface TrailUrls {
  readonly url: string;
  readonly urls?: Readonly<Partial<Record<TrailLogin, string>>>;
}

/** Returns the URL by which a role is used: its own, or the one for everything. */
export const urlOf = ({ url, urls = {} }: TrailUrls, login: TrailLogin): string => urls[login] ?? url;

/** SQLSTATEs: the login may not take the role (the first), or there is no such role (the other two). */
const NOT_OURS: readonly string[] = [INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, UNDEFINED_OBJECT];

/**
 * Gives up all rights but those of a role, for the rest of the connection. Returns false if the role does not
 * exist or the login may not take it (because a DBA did not let Waltrail create roles); the connection then
 * has the login's own rights.
 */
export async function takeRole(client: pg.ClientBase, role: TrailRole): Promise<boolean> {
  try {
    // Attempted, not looked up, because what membership allows differs between versions of PostgreSQL.
    await client.query(`set role ${quoteIdentifier(role)}`);
    return true;
  } catch (error) {
    if (NOT_OURS.includes(codeOf(error) ?? '')) return false;
    throw error;
  }
}

/**
 * Opens a pool on the trail. Its connections have only the rights of a role, if the login may take it. The
 * caller ends the pool.
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
