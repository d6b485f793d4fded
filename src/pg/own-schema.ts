import type pg from 'pg';
import { WaltrailError } from '../errors.js';

/**
 * Refuses a schema that somebody else made before Waltrail did: what its owner puts there, or exchanges
 * later, would run with the rights of every login that uses it. Trusted owners are superusers, the owner of
 * the database and the roles that the login is a member of (a superuser counts as a member of every role,
 * which says nothing, so of its own roles only itself). A login that may not create a schema has to trust
 * whoever made this one. Throws PG_SCHEMA_FOREIGN.
 */
export async function refuseForeignSchema(
  client: pg.ClientBase,
  { schema, database }: { readonly schema: string; readonly database: string },
): Promise<void> {
  const { rows } = await client.query<{ owner: string }>(
    /* sql */ `select o.rolname::text as owner
                 from pg_catalog.pg_namespace n
                 join pg_catalog.pg_roles o on o.oid = n.nspowner
                 join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
                 join pg_catalog.pg_roles me on me.rolname = current_user
                where n.nspname = $1
                  and not o.rolsuper and o.oid <> d.datdba
                  and (me.rolsuper or not pg_catalog.pg_has_role(o.oid, 'member'))
                  and pg_catalog.has_database_privilege(d.oid, 'create')`,
    [schema],
  );
  const foreign = rows[0];
  if (foreign !== undefined)
    throw new WaltrailError(
      'PG_SCHEMA_FOREIGN',
      `Schema ${schema} of ${database} was made by ${foreign.owner}, whom Waltrail does not know.`,
    );
}
