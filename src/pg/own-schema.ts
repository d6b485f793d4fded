import type pg from 'pg';
import { WaltrailError } from '../errors.js';

/**
 * Refuses a schema that an unknown role created before Waltrail did. Objects that its owner puts or replaces
 * there would run with the rights of every login that uses the schema.
 *
 * Trusted owners are superusers, the owner of the database, and roles that the login is a member of. A
 * superuser is formally a member of every role, so for a superuser membership does not count. A login that
 * may not create schemas has to trust the owner. Throws PG_SCHEMA_FOREIGN.
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
      `Schema ${schema} of ${database} belongs to role ${foreign.owner}, which Waltrail does not trust.`,
    );
}
