import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { withClient } from '../pg/connect.js';
import { quoteIdentifier } from '../pg/quote.js';
import { isSameDatabase } from '../pg/same-database.js';
import { urlOf, type TrailLogin, type TrailRole, type TrailUrls } from './roles.js';

/** What the login of a connection may do in the trail, compared with one role. */
interface Rights {
  readonly login: string;
  readonly isMember: boolean;
  /** What it may do that the role may not, in words; empty: nothing. */
  readonly more: readonly string[];
}

const LOGINS: readonly TrailLogin[] = ['writer', 'reader', 'api', 'keeper'];

/**
 * Checks that each URL of `trail.urls` that this process uses leads to the database of `trail.url`, by a
 * login that has its role and no other right in the trail. Warns once where a role is used by a login that
 * has more, because what takes over such a connection undoes SET ROLE by RESET ROLE. `writes`: the process
 * captures. Throws TRAIL_LOGIN and what connecting throws.
 */
export async function checkLogins(options: {
  readonly trail: TrailUrls;
  readonly writes: boolean;
  readonly log: Log;
}): Promise<void> {
  const { trail, writes, log } = options;
  const logins = LOGINS.filter((login) => writes || login !== 'writer');
  const { troubles, shared } = await reviewLogins(trail, logins);
  if (troubles[0] !== undefined) throw troubles[0];
  if (shared.length > 0)
    log.warn(
      { roles: shared, remedy: loginSql(shared) },
      'Waltrail uses these roles of the trail by a login that may do more: whoever takes over one of its connections has all rights of that login. Make a login for each role, and name them in trail.urls.',
    );
}

/** What is to be said of the logins of a trail. */
export interface LoginReview {
  /** One for each URL of `trail.urls` that does not lead where it should. */
  readonly troubles: readonly WaltrailError[];
  /** Roles without a URL of their own that are used by a login which may do more. */
  readonly shared: readonly TrailRole[];
}

/** Looks at the logins of a trail. Throws what connecting to `trail.url` throws. */
export async function reviewLogins(
  trail: TrailUrls,
  logins: readonly TrailLogin[] = LOGINS,
): Promise<LoginReview> {
  return withClient({ url: trail.url, side: 'trail', purpose: 'start' }, async (main) => {
    const troubles: WaltrailError[] = [];
    const shared: TrailRole[] = [];
    for (const login of logins) {
      const role: TrailRole = `waltrail_${login}`;
      if (trail.urls?.[login] === undefined) {
        if ((await rightsOf(main, role)).more.length > 0) shared.push(role);
      } else {
        const trouble = await troubleOf(main, { trail, login }).catch((error: unknown) => {
          if (isWaltrailError(error)) return error;
          throw error;
        });
        if (trouble !== null) troubles.push(trouble);
      }
    }
    return { troubles, shared };
  });
}

const troubleOf = (
  main: pg.ClientBase,
  { trail, login }: { readonly trail: TrailUrls; readonly login: TrailLogin },
): Promise<WaltrailError | null> =>
  withClient({ url: urlOf(trail, login), side: 'trail', purpose: 'start' }, async (own) => {
    const key = `trail.urls.${login}`;
    if (!(await isSameDatabase(main, own))) return elsewhere(key);
    const role: TrailRole = `waltrail_${login}`;
    return unfit({ key, role, rights: await rightsOf(own, role) });
  });

/** Returns the SQL that makes a login for each role, to be run by who may create roles. */
export function loginSql(roles: readonly TrailRole[]): string {
  const statements = roles.map((role) => `create role ${loginOf(role)} login password '…' in role ${role};`);
  const queue = `create schema if not exists bullmq authorization ${loginOf('waltrail_api')};`;
  return [...statements, ...(roles.includes('waltrail_api') ? [queue] : [])].join('\n');
}

const loginOf = (role: TrailRole): string => role.replace('waltrail_', 'trail_');

function elsewhere(key: string): WaltrailError {
  return new WaltrailError('TRAIL_LOGIN', `${key} leads to another database than trail.url.`, {
    remedy: `Let ${key} name the server and the database of trail.url, with another user.`,
  });
}

function unfit({
  key,
  role,
  rights: { login, isMember, more },
}: {
  readonly key: string;
  readonly role: TrailRole;
  readonly rights: Rights;
}): WaltrailError | null {
  const name = quoteIdentifier(login);
  if (!isMember)
    return new WaltrailError('TRAIL_LOGIN', `${key}: the login ${login} is not a member of ${role}.`, {
      remedy: `Run as who may grant it: grant ${role} to ${name};`,
    });
  if (more.length === 0) return null;
  return new WaltrailError(
    'TRAIL_LOGIN',
    `${key}: the login ${login} may do more than ${role}: ${more.join('; ')}.`,
    { remedy: `Take that from it, or make a login that has nothing else: ${loginSql([role])}` },
  );
}

/** Findings of one kind that are named. */
const NAMED = 3;

/**
 * Compares the login with the role by what PostgreSQL itself says of both: attributes, memberships (with
 * SET ROLE they give their rights also where nothing is inherited) and rights on what is in the trail.
 */
async function rightsOf(client: pg.ClientBase, role: TrailRole): Promise<Rights> {
  const { rows } = await client.query<Rights & { found: Readonly<Record<string, readonly string[]>> }>(
    /* sql */ `
    with me as (select * from pg_catalog.pg_roles where rolname = session_user),
    role as (select * from pg_catalog.pg_roles where rolname = $1),
    object as (
      select c.oid, c.relname::text as name from pg_catalog.pg_class c
       where c.relnamespace = pg_catalog.to_regnamespace('trail') and c.relkind in ('r', 'p', 'v', 'm', 'S')
    ),
    on_object as (
      select object.name, privilege
        from object cross join pg_catalog.unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) privilege
       cross join me
       where pg_catalog.has_table_privilege(me.oid, object.oid, privilege)
         and not exists (select from role where pg_catalog.has_table_privilege(role.oid, object.oid, privilege))
      union all
      select object.name || '.' || a.attname, privilege
        from object join pg_catalog.pg_attribute a on a.attrelid = object.oid and a.attnum > 0 and not a.attisdropped
       cross join pg_catalog.unnest(array['select', 'insert', 'update', 'references']) privilege
       cross join me
       where pg_catalog.has_column_privilege(me.oid, object.oid, a.attnum, privilege)
         and not pg_catalog.has_table_privilege(me.oid, object.oid, privilege)
         and not exists (select from role where pg_catalog.has_column_privilege(role.oid, object.oid, a.attnum, privilege))
    )
    select me.rolname::text as login,
           exists (select from role where pg_catalog.pg_has_role(me.oid, role.oid, 'member')) as "isMember",
           pg_catalog.json_build_object(
             'is', array(select attribute from (values ('a superuser', me.rolsuper), ('allowed to create roles', me.rolcreaterole),
                                                       ('allowed to start replication', me.rolreplication)) as has (attribute, it_is)
                          where it_is),
             'owns', array(select what from (
                        select 'the database' as what, d.datdba as owner from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
                        union all select 'the schema trail', n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'trail'
                        union all (select 'tables of the trail', c.relowner from object join pg_catalog.pg_class c using (oid) group by c.relowner)) owned
                      where not me.rolsuper and pg_catalog.pg_has_role(me.oid, owned.owner, 'member') order by 1),
             'is a member of', array(select other.rolname::text from pg_catalog.pg_roles other
                        where not me.rolsuper and other.oid <> me.oid and pg_catalog.pg_has_role(me.oid, other.oid, 'member')
                          and not exists (select from role where pg_catalog.pg_has_role(role.oid, other.oid, 'member')) order by 1),
             'may', array(select privilege || ' on trail.' || name from on_object where not me.rolsuper order by name, privilege),
             'may execute', array(select p.oid::regprocedure::text from pg_catalog.pg_proc p
                        where p.pronamespace = pg_catalog.to_regnamespace('trail') and not me.rolsuper
                          and pg_catalog.has_function_privilege(me.oid, p.oid, 'execute')
                          and not exists (select from role where pg_catalog.has_function_privilege(role.oid, p.oid, 'execute')) order by 1),
             'may make objects in', array(select n.nspname::text from pg_catalog.pg_namespace n
                        where n.nspname = 'trail' and not me.rolsuper and pg_catalog.has_schema_privilege(me.oid, n.oid, 'create')
                          and not exists (select from role where pg_catalog.has_schema_privilege(role.oid, n.oid, 'create')))
           ) as found
      from me`,
    [role],
  );
  const { login, isMember, found } = rows[0]!;
  const more = Object.entries(found).flatMap(([kind, names]) =>
    names.length === 0
      ? []
      : [
          `it ${kind} ${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`,
        ],
  );
  return { login, isMember, more };
}
