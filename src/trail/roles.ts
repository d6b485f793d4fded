import type pg from 'pg';

/** Group roles of sql/trail/0005_roles.sql, which says what each may do. */
export type TrailRole = 'waltrail_writer' | 'waltrail_reader' | 'waltrail_api' | 'waltrail_keeper';

/**
 * Gives up all rights but those of a role, for the rest of the connection. False where the role does not exist or the
 * login is no member (a DBA who did not let Waltrail create roles): then the login's own rights are all there is.
 */
export async function takeRole(client: pg.ClientBase, role: TrailRole): Promise<boolean> {
  const { rowCount } = await client.query(
    /* sql */ `select pg_catalog.set_config('role', rolname, false) from pg_catalog.pg_roles
                where rolname = $1 and pg_catalog.pg_has_role(current_user, oid, 'member')`,
    [role],
  );
  return rowCount === 1;
}
