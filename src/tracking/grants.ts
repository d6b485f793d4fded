import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { PlanStep } from './findings.js';

/** A role, and the objects of this database on which it has grants under its own name. */
export interface GrantedRole {
  readonly name: string;
  /** Objects as `revoke all on … from` names them: `table "public"."agents"`. */
  readonly objects: readonly string[];
}

/** Reads the grants of a role; undefined if the role does not exist. */
export async function readGrantedRole(client: pg.Client, name: string): Promise<GrantedRole | undefined> {
  const role = `(select r.oid from pg_catalog.pg_roles r where r.rolname = ${quoteLiteral(name)})`;
  const granted = (acl: string): string =>
    `exists (select from pg_catalog.aclexplode(${acl}) a where a.grantee = ${role})`;
  const rows = await catalogRows<{ readonly exists: boolean; readonly objects: string[] }>(
    client,
    /* sql */ `
    select ${role} is not null as exists, array(
      select o.object from (
        select 1 as place, 'database ' || pg_catalog.quote_ident(d.datname) as object
          from pg_catalog.pg_database d where d.datname = current_database() and ${granted('d.datacl')}
        union all
        select 2, 'schema ' || pg_catalog.quote_ident(n.nspname)
          from pg_catalog.pg_namespace n where ${granted('n.nspacl')}
        union all
        select 3, case c.relkind when 'S' then 'sequence ' else 'table ' end || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
          from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where ${granted('c.relacl')}
            or exists (select from pg_catalog.pg_attribute t where t.attrelid = c.oid and t.attacl is not null and ${granted('t.attacl')})
        union all
        select 4, case p.prokind when 'p' then 'procedure ' else 'function ' end || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname)
                  || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')'
          from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
         where ${granted('p.proacl')}
      ) o order by o.place, o.object) as objects`,
  );
  const { exists, objects } = rows[0]!;
  return exists ? { name, objects } : undefined;
}

/** Steps that revoke all grants of a role in this database and drop the role. */
export const roleSteps = ({ name, objects }: GrantedRole): readonly PlanStep[] => [
  ...objects.map((object) => ({
    kind: 'role_remove' as const,
    tables: [],
    sql: `revoke all on ${object} from ${quoteIdentifier(name)}`,
    reason: 'the role has this grant',
    optional: false,
  })),
  {
    kind: 'role_remove',
    tables: [],
    sql: `drop role ${quoteIdentifier(name)}`,
    reason: 'capture no longer needs it',
    optional: false,
  },
];
