-- Event triggers that keep the tables of a source writable while they are published, and that report commands for which
-- PostgreSQL sends no rows. `waltrail apply` installs them if the YAML has source.event_trigger: true. It replaces the words
-- after a colon by names that begin with the name of the publication.
--
-- Waltrail publishes tables, and PostgreSQL refuses updates and deletes of a published table that has no usable replica identity.
-- Migrations of the application create such tables: a new partition starts without replica identity full, a virtual generated
-- column forbids it, and a dropped primary key removes the default identity. The first trigger runs at the end of such a
-- statement, in its transaction, and corrects the identity before anyone can write.
--
-- The triggers run inside statements of other users. Therefore they warn instead of raising an error, wait at most a second for a
-- lock, resolve no name by a foreign search path, and change only tables of this publication. The first trigger runs with the
-- rights of the user who migrates, who owns the table. Only taking a table out of the publication needs the rights of the
-- publication's owner. The reports run with the rights of the function's owner; see below.

drop event trigger if exists :rewrites;
drop event trigger if exists :commands;
drop event trigger if exists :drops;
drop event trigger if exists :event_trigger;
-- If another role had created the schema before, that role would still own it, and could replace the functions.
create schema if not exists waltrail_source;
alter schema waltrail_source owner to current_user;
revoke create on schema waltrail_source from public;
grant usage on schema waltrail_source to public;
drop function if exists waltrail_source.:follow();
drop function if exists waltrail_source.:leave(oid);
drop function if exists waltrail_source.:identity(oid);
drop function if exists waltrail_source.:report();

-- Tells whether PostgreSQL refuses updates or deletes of a table, and which replica identity is best to avoid that: full,
-- default, or null if there is none. The rule is the same as in src/tracking/refusal.ts.
create function waltrail_source.:identity(member oid, out refused boolean, out best text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $waltrail$
declare
  from_18 constant boolean := current_setting('server_version_num')::int >= 180000;
  from_15 constant boolean := current_setting('server_version_num')::int >= 150000;
  lineage oid[] := array(select a.relid::oid from pg_partition_ancestors(member) a);
  current_identity "char" := (select c.relreplident from pg_class c where c.oid = member);
  virtual constant boolean := exists (
    select from pg_attribute a where a.attrelid = member and not a.attisdropped and a.attgenerated = 'v');
  stored constant text[] := array(
    select a.attname::text from pg_attribute a where a.attrelid = member and not a.attisdropped and a.attgenerated = 's');
  primary_key text[];
  own_key text[];
  full_refused boolean := false;
  default_refused boolean := false;
  own_refused boolean := false;
  publication record;
  holder oid;
  in_schema boolean;
  entry jsonb;
  listed text[];
  filtered text[];
  hides boolean;
begin
  if cardinality(lineage) = 0 then lineage := array[member]; end if;
  select array_agg(a.attname::text) into primary_key
    from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
   where i.indrelid = member and i.indisprimary and i.indisvalid and i.indimmediate;
  if current_identity = 'd' then
    own_key := primary_key;
  elsif current_identity = 'i' then
    select array_agg(a.attname::text) into own_key
      from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
     where i.indrelid = member and i.indisreplident and i.indisvalid and i.indimmediate;
  end if;
  for publication in
    select p.oid, p.puballtables, p.pubviaroot, to_jsonb(p) ->> 'pubgencols' as generated
      from pg_publication p
     where p.pubupdate or p.pubdelete
  loop
    in_schema := false;
    if from_15 then
      in_schema := exists (
        select from pg_publication_namespace n
          join pg_class c on c.relnamespace = n.pnnspid
         where n.pnpubid = publication.oid and c.oid = any (lineage));
    end if;
    holder := (
      select r.prrelid from pg_publication_rel r
       where r.prpubid = publication.oid and r.prrelid = any (lineage)
       order by array_position(lineage, r.prrelid) desc limit 1);
    continue when holder is null and not in_schema and not publication.puballtables;
    if not publication.pubviaroot then holder := member; end if;
    -- With to_jsonb(), one statement works for all versions: a column that a version does not have is null.
    entry := (
      select to_jsonb(r) from pg_publication_rel r where r.prpubid = publication.oid and r.prrelid = holder);
    listed := array(
      select a.attname::text from pg_attribute a
       where a.attrelid = holder and a.attnum in (select m[1]::int2 from regexp_matches(entry ->> 'prattrs', '\d+', 'g') m));
    filtered := array(
      select a.attname::text
        from regexp_matches(entry ->> 'prqual', ':varattno (\d+)', 'g') v
        join pg_attribute a on a.attrelid = holder and a.attnum = v[1]::int2);
    hides := from_18 and publication.generated is distinct from 's';
    full_refused := full_refused or virtual or entry ->> 'prattrs' is not null
      or (hides and cardinality(stored) > 0);
    default_refused := default_refused or primary_key is null or not filtered <@ primary_key
      or (entry ->> 'prattrs' is not null and not primary_key <@ listed) or (hides and primary_key && stored);
    own_refused := own_refused or own_key is null or not filtered <@ own_key
      or (entry ->> 'prattrs' is not null and not own_key <@ listed) or (hides and own_key && stored);
  end loop;
  refused := case current_identity when 'f' then full_refused else own_refused end;
  best := case when not full_refused then 'full' when not default_refused then 'default' end;
end
$waltrail$;

-- Takes a table whose writes are refused out of the publication, if that helps. Every role may call it, because it runs in
-- migrations of any role. For a table that can be written it does nothing.
create function waltrail_source.:leave(member oid) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $waltrail$
declare
  from_15 constant boolean := current_setting('server_version_num')::int >= 150000;
  lineage oid[] := member || array(select a.relid::oid from pg_partition_ancestors(member) a);
  entry record;
  sibling record;
begin
  if not (waltrail_source.:identity(member)).refused then return; end if;
  if from_15 then
    for entry in
      select p.oid, p.pubname, n.oid as schema, n.nspname
        from pg_publication p
        join pg_publication_namespace s on s.pnpubid = p.oid
        join pg_namespace n on n.oid = s.pnnspid
       where p.pubname = :publication
         and n.oid in (select c.relnamespace from pg_class c where c.oid = any (lineage))
    loop
      -- The other tables of the schema stay published, as single tables. Tables that are created later are not published.
      for sibling in
        select c.relname from pg_class c
         where c.relnamespace = entry.schema and c.relkind in ('r', 'p') and c.relpersistence = 'p' and not c.relispartition
           and c.oid <> all (lineage)
           and not exists (select from pg_publication_rel r where r.prpubid = entry.oid and r.prrelid = c.oid)
      loop
        begin
          execute format('alter publication %I add table only %I.%I', entry.pubname, entry.nspname, sibling.relname);
        exception when others then
          raise warning 'Waltrail: %.% left publication % with its schema (%): run waltrail apply.',
            quote_ident(entry.nspname), quote_ident(sibling.relname), quote_ident(entry.pubname), sqlstate;
        end;
      end loop;
      execute format('alter publication %I drop tables in schema %I', entry.pubname, entry.nspname);
      raise warning 'Waltrail: schema % left publication %, so new tables in it are no longer tracked: run waltrail plan.',
        quote_ident(entry.nspname), quote_ident(entry.pubname);
    end loop;
  end if;
  for entry in
    select p.pubname, n.nspname, c.relname
      from pg_publication p
      join pg_publication_rel r on r.prpubid = p.oid
      join pg_class c on c.oid = r.prrelid
      join pg_namespace n on n.oid = c.relnamespace
     where p.pubname = :publication and c.oid = any (lineage)
  loop
    execute format('alter publication %I drop table only %I.%I', entry.pubname, entry.nspname, entry.relname);
  end loop;
  if (waltrail_source.:identity(member)).refused then
    raise object_not_in_prerequisite_state using message = 'another publication refuses its writes too';
  end if;
  raise warning 'Waltrail: updates and deletes of % would be refused, so its table left publication %. Its changes are no longer in the audit trail.',
    member::regclass, quote_ident(:publication);
end
$waltrail$;

create function waltrail_source.:follow() returns event_trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $waltrail$
declare
  ours oid;
  by_table constant boolean := tg_tag in ('ALTER TABLE', 'CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO');
  from_15 constant boolean := current_setting('server_version_num')::int >= 150000;
  schemas oid[] := '{}';
  says_session constant regprocedure := to_regprocedure(format('waltrail_source.%I()', :publication || '_session'));
  member record;
  state record;
  done boolean;
  cause text;
begin
  begin
    ours := (select p.oid from pg_publication p where p.pubname = :publication);
    -- The statements of this function fire the trigger again.
    if ours is null or current_setting('waltrail.following', true) = :publication then return; end if;
    perform set_config('waltrail.following', :publication, true);
    if from_15 then
      schemas := array(select s.pnnspid from pg_publication_namespace s where s.pnpubid = ours);
    end if;
    for member in
      with recursive touched (oid, fresh) as (
        (
          -- A table that was created or altered, with the tables that inherit from it: a partition may have been attached.
          select d.objid, d.command_tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
            from pg_event_trigger_ddl_commands() d
           where by_table and d.classid = 'pg_class'::regclass
          union
          -- A changed publication or a dropped object may affect every table.
          select r.prrelid, false from pg_publication_rel r where not by_table and r.prpubid = ours
          union
          select c.oid, false from pg_class c where not by_table and c.relnamespace = any (schemas)
        )
        union
        select i.inhrelid, by_table from touched t join pg_inherits i on i.inhparent = t.oid
      )
      select c.oid, n.nspname, c.relname, t.fresh and c.relreplident in ('d', 'n') as weak
        from (select oid, bool_or(fresh) as fresh from touched group by oid) t
        join pg_class c on c.oid = t.oid
        join pg_namespace n on n.oid = c.relnamespace
       where (c.relkind = 'r' or c.relkind = 'p' and t.fresh) and c.relpersistence = 'p'
         and (not by_table or exists (
           select from pg_class m
            where m.oid = any (c.oid || array(select a.relid::oid from pg_partition_ancestors(c.oid) a))
              and (m.relnamespace = any (schemas)
                   or exists (select from pg_publication_rel r where r.prpubid = ours and r.prrelid = m.oid))))
         -- Other tables can be written: they have identity full without generated columns, or a key. A new published table gets
         -- identity full: a partition, or a table of a schema that is published as a whole.
         and (t.fresh and c.relreplident in ('d', 'n')
           or c.relreplident = 'n'
           or c.relreplident <> 'f' and not exists (
                select from pg_index i
                 where i.indrelid = c.oid and i.indisvalid and i.indimmediate
                   and case c.relreplident when 'd' then i.indisprimary else i.indisreplident end)
           or exists (select from pg_attribute a where a.attrelid = c.oid and a.attgenerated <> '' and not a.attisdropped)
           or exists (
                select from pg_publication_rel r
                 where r.prrelid = any (c.oid || array(select a.relid::oid from pg_partition_ancestors(c.oid) a))
                   and (to_jsonb(r) ->> 'prattrs' is not null or to_jsonb(r) ->> 'prqual' is not null)))
    loop
      state := waltrail_source.:identity(member.oid);
      continue when not state.refused and not (member.weak and state.best is not distinct from 'full');
      done := false;
      if state.best is not null then
        begin
          execute format('alter table only %I.%I replica identity %s', member.nspname, member.relname, state.best);
          done := true;
        exception when others then
          -- The table is locked by others, or has another owner and was reached by cascade.
          cause := sqlstate;
        end;
      end if;
      if not done and state.refused then
        begin
          perform waltrail_source.:leave(member.oid);
          done := true;
        exception when others then
          cause := sqlstate;
        end;
      end if;
      if not done then
        raise warning 'Waltrail: the replica identity of % could not be set (%): run waltrail apply.',
          member.oid::regclass, cause;
      end if;
    end loop;
    -- If sessions report who they are (session-trigger.sql), a new table gets the trigger before its first row. So does a
    -- partition of a table that has the trigger.
    if by_table and says_session is not null then
      for member in
        with recursive touched (oid, fresh) as (
          select d.objid, d.command_tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
            from pg_event_trigger_ddl_commands() d where d.classid = 'pg_class'::regclass
          union
          select i.inhrelid, t.fresh from touched t join pg_inherits i on i.inhparent = t.oid
        )
        select c.oid, n.nspname, c.relname
          from (select oid, bool_or(fresh) as fresh from touched group by oid) t
          join pg_class c on c.oid = t.oid
          join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and c.relpersistence = 'p'
           and not exists (select from pg_trigger g where g.tgrelid = c.oid and g.tgfoid = says_session)
           and (exists (
                  select from pg_trigger g
                  join pg_partition_ancestors(c.oid) a on a.relid = g.tgrelid
                   where c.relispartition and g.tgfoid = says_session)
             or t.fresh and exists (
                  select from pg_class m
                   where m.oid = any (c.oid || array(select a.relid::oid from pg_partition_ancestors(c.oid) a))
                     and (m.relnamespace = any (schemas)
                          or exists (select from pg_publication_rel r where r.prpubid = ours and r.prrelid = m.oid))))
      loop
        begin
          execute format('create trigger %I before insert or update or delete or truncate on %I.%I for each statement execute function waltrail_source.:session()',
            :publication || '_session', member.nspname, member.relname);
        exception when others then
          raise warning 'Waltrail: sessions that change % are not named (%): run waltrail apply.', member.oid::regclass, sqlstate;
        end;
      end loop;
    end if;
    perform set_config('waltrail.following', '', true);
  exception when others then
    raise warning 'Waltrail: the replica identities of published tables were not checked (%): run waltrail plan.', sqlstate;
  end;
end
$waltrail$;

-- Reports in the WAL which command changed tables of the publication, by whom, and at which position. PostgreSQL sends no rows
-- for commands that change values of rows. A report contains no values and no text of statements.
--
-- If logical messages are used for attribution, `waltrail plan` advises to revoke the right to emit them from other roles. The
-- role that migrates may then lack this right, and a function that emits for any role would give it back. This function can be
-- called only as an event trigger, so it may run with the rights of its owner. It reads the catalog and runs no code of other
-- roles.
create function waltrail_source.:report() returns event_trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $waltrail$
declare
  -- reasons to rewrite a table: a column was filled with a default, or has another type
  computed constant int := 2 | 4;
  longest_list constant int := 20;
  from_15 constant boolean := current_setting('server_version_num')::int >= 150000;
  ours oid;
  schemas oid[] := '{}';
  facts jsonb[];
  fact jsonb;
  holder record;
begin
  begin
    ours := (select p.oid from pg_publication p where p.pubname = :publication);
    if ours is null then return; end if;
    if from_15 then
      schemas := array(select s.pnnspid from pg_publication_namespace s where s.pnpubid = ours);
    end if;
    if tg_event = 'table_rewrite' then
      if pg_event_trigger_table_rewrite_reason() & computed = 0
        or pg_relation_size(pg_event_trigger_table_rewrite_oid()) = 0
      then return; end if;
      facts := array[jsonb_build_object('what', 'rewritten', 'member', pg_event_trigger_table_rewrite_oid())];
    elsif tg_event = 'ddl_command_end' then
      facts := array(
        select distinct jsonb_build_object('what', 'run', 'member', d.objid)
          from pg_event_trigger_ddl_commands() d
         where d.classid = 'pg_class'::regclass and d.object_type in ('table', 'table column')
        union
        -- A renamed value of an enumeration, or a renamed attribute: rows then show another value.
        select distinct jsonb_build_object('what', 'run', 'member', a.attrelid)
          from pg_event_trigger_ddl_commands() d
          join pg_type t on case d.classid when 'pg_type'::regclass then t.oid when 'pg_class'::regclass then t.typrelid end = d.objid
          join pg_attribute a on a.atttypid in (t.oid, t.typarray) and not a.attisdropped
          join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
         where d.command_tag = 'ALTER TYPE'
           and (c.relnamespace = any (schemas)
                or exists (select from pg_publication_rel r where r.prpubid = ours and r.prrelid = c.oid)));
    else
      facts := array(
        select jsonb_build_object('what', 'columns dropped', 'member', d.objid,
                 'columns', to_jsonb((array_agg(d.address_names[3] order by d.objsubid))[1:longest_list]),
                 'more', greatest(count(*) - longest_list, 0))
          from pg_event_trigger_dropped_objects() d
         where d.object_type = 'table column'
         group by d.objid
      ) || array(
        select jsonb_build_object('what', 'table dropped', 'relation', t.objid::int8, 'schema', t.address_names[1], 'table', t.address_names[2])
          from pg_event_trigger_dropped_objects() d
          join pg_event_trigger_dropped_objects() t on t.object_type = 'table' and t.address_names = d.address_names
         where d.object_type = 'publication relation' and d.address_args[1] = :publication
        union
        select jsonb_build_object('what', 'table dropped', 'relation', t.objid::int8, 'schema', t.address_names[1], 'table', t.address_names[2])
          from pg_event_trigger_dropped_objects() t
          join pg_namespace n on n.nspname = t.schema_name and n.oid = any (schemas)
         where t.object_type = 'table');
    end if;
    foreach fact in array facts loop
      if fact ? 'member' then
        -- A partition is published through its partitioned table.
        select c.oid, n.nspname, c.relname into holder
          from unnest((fact ->> 'member')::oid || array(select a.relid::oid from pg_partition_ancestors((fact ->> 'member')::oid) a))
               with ordinality as lineage (oid, level)
          join pg_class c on c.oid = lineage.oid
          join pg_namespace n on n.oid = c.relnamespace
         where n.oid = any (schemas)
            or exists (select from pg_publication_rel r where r.prpubid = ours and r.prrelid = c.oid)
         order by lineage.level desc limit 1;
        continue when not found;
        fact := (fact - 'member') || jsonb_build_object('relation', holder.oid::int8, 'schema', holder.nspname, 'table', holder.relname);
      end if;
      perform pg_logical_emit_message(true, 'waltrail.ddl', (fact || jsonb_build_object(
        'command', tg_tag, 'session', session_user, 'role', nullif(current_setting('role'), 'none')))::text);
    end loop;
  exception when others then
    raise warning 'Waltrail: a % was not reported (%). The audit trail will show only the time range in which it ran.', tg_tag, sqlstate;
  end;
end
$waltrail$;

revoke execute on function waltrail_source.:follow(), waltrail_source.:report() from public;
grant execute on function waltrail_source.:leave(oid), waltrail_source.:identity(oid) to public;

create event trigger :event_trigger on ddl_command_end
  when tag in (
    'ALTER PUBLICATION', 'ALTER TABLE', 'CREATE PUBLICATION', 'CREATE SCHEMA', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO',
    -- with cascade, these drop columns and keys
    'DROP COLLATION', 'DROP DOMAIN', 'DROP EXTENSION', 'DROP FUNCTION', 'DROP INDEX', 'DROP OPERATOR CLASS',
    'DROP OPERATOR FAMILY', 'DROP OWNED', 'DROP ROUTINE', 'DROP SCHEMA', 'DROP TYPE')
  execute function waltrail_source.:follow();
-- The triggers also fire for sessions with session_replication_role = replica.
alter event trigger :event_trigger enable always;

create event trigger :rewrites on table_rewrite execute function waltrail_source.:report();
create event trigger :commands on ddl_command_end
  when tag in ('ALTER TABLE', 'ALTER TYPE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
  execute function waltrail_source.:report();
create event trigger :drops on sql_drop execute function waltrail_source.:report();
alter event trigger :rewrites enable always;
alter event trigger :commands enable always;
alter event trigger :drops enable always;
comment on event trigger :event_trigger is :comment
