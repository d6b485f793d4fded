import pg from 'pg';
import type { TestDatabase } from './database.ts';

/**
 * A database with a role like that of an application or its migrations: it may create objects in `public`,
 * and its own schemas.
 */
export interface TrappedDatabase extends TestDatabase {
  /** URL for the role that planted the traps. */
  readonly ownerUrl: string;
  readonly owner: string;
  /** Runs statements as that role, for which its traps do nothing. */
  asOwner(sql: string): Promise<void>;
  /** Returns what anybody else has executed so far, on connections that are closed. */
  sprung(): Promise<{ readonly calls: number; readonly what: string | null }>;
}

/**
 * Plants a trap for everything that a statement can name without a schema. There is one for each operator and
 * function of pg_catalog with its own argument types. There are operators for every pair of usual types,
 * which fit better than built-in ones that take `anynonarray`. Types become domains with a check, and
 * relations become views. Whoever executes one triggers it.
 *
 * The database and the superuser's role in it have a search_path that begins with `public`, as an owner of a
 * database may set it. Disposing drops the role with the database.
 */
export async function plantTraps(database: TestDatabase): Promise<TrappedDatabase> {
  const owner = `${database.name}_app`;
  const url = new URL(database.url);
  url.username = owner;
  url.password = 'x';
  const trapped: TrappedDatabase = {
    url: database.url,
    name: database.name,
    ownerUrl: url.href,
    owner,
    query: (sql, parameters) => pinned(database.url, sql, parameters),
    asOwner: async (sql) => {
      await pinned(url.href, sql);
    },
    sprung: async () => {
      const [row] = await trapped.query<{ calls: number; what: string | null }>(
        `select coalesce((select calls from pg_stat_user_functions where schemaname = 'traps' and funcname = 'sprung'), 0)::int4 as calls,
                (select string_agg(distinct what || ' as ' || role, ', ') from traps.log) as what`,
      );
      return row!;
    },
    [Symbol.asyncDispose]: async () => {
      await database[Symbol.asyncDispose]();
    },
  };
  await trapped.query(`create role ${owner} login password 'x'`);
  await trapped.query(`grant create on database ${database.name} to ${owner}`);
  await trapped.query(`grant create, usage on schema public to ${owner}`);
  // Calls are counted even if the transaction is rolled back.
  await trapped.query(`alter database ${database.name} set track_functions = 'all'`);
  for (const step of [ALARM, OPERATORS, FUNCTIONS, TYPES, RELATIONS]) await trapped.asOwner(step);
  await trapped.query(`alter database ${database.name} set search_path = public, pg_catalog`);
  await trapped.query(
    `do $$ begin execute format('alter role %I in database ${database.name} set search_path = public, pg_catalog', current_user); end $$`,
  );
  return trapped;
}

/** Drops what {@link plantTraps} created outside the database, after the database was dropped. */
export async function dropOwner(admin: TestDatabase, owner: string): Promise<void> {
  await admin.query(`drop role if exists ${owner}`);
}

/** Runs SQL on a separate connection with its own search path. It uses no code under test. */
async function pinned<T>(url: string, sql: string, parameters: readonly unknown[] = []): Promise<T[]> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('set search_path = pg_catalog, pg_temp');
    return (await client.query(sql, [...parameters])).rows as T[];
  } finally {
    await client.end();
  }
}

/** Traps call `spring`. It calls `sprung`, which counts, only for others than the planter. */
const ALARM = `
create schema traps;
grant usage on schema traps to public;
create table traps.log (what text, role name);
create function traps.sprung(what text) returns void language plpgsql set search_path = pg_catalog as $$
begin
  insert into traps.log values (what, current_user);
exception when others then null;
end $$;
do $$ begin execute format($f$
create function traps.spring(what text) returns boolean language plpgsql set search_path = pg_catalog as $b$
begin
  if current_user <> %L then perform traps.sprung(what); end if;
  return true;
end $b$;
-- What PostgreSQL evaluates while it plans.
create function traps.constant(of int4) returns int4 language plpgsql immutable set search_path = pg_catalog as $b$
begin
  if current_user <> %L then perform traps.sprung('an expression of an index or of statistics'); end if;
  return $1;
end $b$;
$f$, current_user, current_user); end $$;
grant insert on traps.log to public;`;

const TYPE_NAMES = `'text', 'name', 'oid', 'xid', 'int2', 'int4', 'int8', 'float8', 'bool', 'char', 'jsonb', 'text[]', 'timestamptz', 'interval', 'pg_lsn', 'regclass'`;

const OPERATORS = `
do $do$
declare
  o record;
  n int4 := 0;
begin
  for o in
    select oprname as name, nullif(oprleft, 0)::regtype::text as l, oprright::regtype::text as r, oprresult::regtype::text as result
      from pg_operator where oprnamespace = 'pg_catalog'::regnamespace
    union
    select name, format_type(l.oid, null), format_type(r.oid, null), case when name in ('||', '+', '-', '->', '->>') then 'text' else 'boolean' end
      from unnest(array['||', '+', '-', '->', '->>', '=', '<>', '<', '>', '<=', '>=', '~', '!~', '~~', '@>', '&&']) name
     cross join (select t::regtype as oid from unnest(array[${TYPE_NAMES}]) t) l
     cross join (select t::regtype as oid from unnest(array[${TYPE_NAMES}]) t) r
  loop
    begin
      n := n + 1;
      execute format('create function traps.o%s(%s) returns %s language plpgsql as $b$ begin perform traps.spring(%L); return null; end $b$',
        n, concat_ws(', ', o.l, o.r), o.result, format('operator %s (%s, %s)', o.name, o.l, o.r));
      execute format('create operator public.%s (%srightarg = %s, function = traps.o%s)',
        o.name, 'leftarg = ' || o.l || ', ', o.r, n);
    exception when others then null;   -- pseudo-types that no language but C takes, and pairs that are there already
    end;
  end loop;
  if (select count(*) from pg_operator where oprnamespace = 'public'::regnamespace) < 3000 then
    raise exception 'too few operators were planted';
  end if;
end $do$`;

const FUNCTIONS = `
do $do$
declare
  f record;
begin
  for f in
    select proname as name, prorettype::regtype::text as result, proretset as is_set,
           coalesce((select string_agg(replace(format_type(t, null), '"any"', 'anyelement'), ', ' order by n)
                       from unnest(proargtypes::oid[]) with ordinality a (t, n)), '') as args
      from pg_proc
     where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a', 'w')
       and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'cstring'::regtype)
  loop
    begin
      execute format('create function public.%I(%s) returns %s%s language plpgsql as $b$ begin perform traps.spring(%L); return%s; end $b$',
        f.name, f.args, case when f.is_set then 'setof ' else '' end, f.result, format('function %s(%s)', f.name, f.args),
        case when f.is_set or f.result = 'void' then '' else ' null' end);
    exception when others then null;   -- as above
    end;
  end loop;
  if (select count(*) from pg_proc where pronamespace = 'public'::regnamespace) < 2000 then
    raise exception 'too few functions were planted';
  end if;
end $do$`;

const TYPES = `
do $do$
declare
  v_type text;
begin
  foreach v_type in array array['text', 'name', 'oid', 'xid', 'int2', 'int4', 'int8', 'float8', 'bool', 'json', 'jsonb', 'timestamptz', 'pg_lsn', 'regclass', 'numeric', 'bytea'] loop
    execute format('create domain public.%I as pg_catalog.%I check (traps.spring(%L))', v_type, v_type, 'type ' || v_type);
  end loop;
end $do$`;

const RELATIONS = `
do $do$
declare
  v_name name;
begin
  for v_name in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v') loop
    begin
      execute format('create view public.%I as select * from pg_catalog.%I where traps.spring(%L)', v_name, v_name, 'relation ' || v_name);
    exception when others then null;   -- pg_statistic, whose columns have a pseudo-type
    end;
  end loop;
end $do$`;
