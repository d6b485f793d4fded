import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { withClient } from '../pg/connect.js';
import { quoteIdentifier } from '../pg/quote.js';
import { isSameDatabase } from '../pg/same-database.js';
import { urlOf, type TrailLogin, type TrailRole, type TrailUrls } from './roles.js';

/** Rights of a connection's login in the trail, compared with those of one role. */
interface Rights {
  readonly login: string;
  readonly isMember: boolean;
  /** Rights that the login has and the role does not, in words. */
  readonly more: readonly string[];
}

const LOGINS: readonly TrailLogin[] = ['writer', 'reader', 'api', 'keeper'];

/**
 * Checks the URLs of `trail.urls` that this process uses. Each must lead to the database of `trail.url`, with
 * a login that has its one role and no other right in the trail. Logs one warning if a role is used through a
 * login with more rights: an attacker who takes over such a connection can undo SET ROLE with RESET ROLE.
 * `writes` means that the process captures. Throws TRAIL_LOGIN and the errors of connecting.
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
      'Waltrail uses these roles of the trail through a login that may do more: an attacker who takes over one of its connections has all rights of that login. Create a login for each role, and name the logins in trail.urls.',
    );
}

/** Findings about the logins of a trail. */
export interface LoginReview {
  /** One error for each URL of `trail.urls` that leads to the wrong database, or has an unsuitable login. */
  readonly troubles: readonly WaltrailError[];
  /** Roles without a URL of their own that are used through a login with more rights. */
  readonly shared: readonly TrailRole[];
}

/** Examines the logins of a trail. Throws the errors of connecting to `trail.url`. */
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

/** Returns the SQL that creates a login for each role. It must be run by a user who may create roles. */
export function loginSql(roles: readonly TrailRole[]): string {
  const statements = roles.map((role) => `create role ${loginOf(role)} login password '…' in role ${role};`);
  const queue = `create schema if not exists bullmq authorization ${loginOf('waltrail_api')};`;
  return [...statements, ...(roles.includes('waltrail_api') ? [queue] : [])].join('\n');
}

const loginOf = (role: TrailRole): string => role.replace('waltrail_', 'trail_');

function elsewhere(key: string): WaltrailError {
  return new WaltrailError('TRAIL_LOGIN', `${key} leads to another database than trail.url.`, {
    remedy: `Use the server and the database of trail.url in ${key}; only the user differs.`,
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
      remedy: `As a user who may grant this role, run: grant ${role} to ${name};`,
    });
  if (more.length === 0) return null;
  return new WaltrailError(
    'TRAIL_LOGIN',
    `${key}: the login ${login} may do more than ${role}: ${more.join('; ')}.`,
    { remedy: `Revoke these rights, or create a login that has only this role: ${loginSql([role])}` },
  );
}

/** Largest number of findings of one kind that a message names. */
const NAMED = 3;

/**
 * Compares the login with the role by PostgreSQL's own catalog: attributes, memberships, and rights on the
 * objects of the trail. Memberships count even if they are not inherited, because SET ROLE makes their rights
 * usable.
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
             'may create objects in', array(select n.nspname::text from pg_catalog.pg_namespace n
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
