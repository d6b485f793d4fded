-- The context that a logical message carries is stored once for the message and not with each of its entries (src/DECISIONS.md, 58).
-- A short one stays in trail.entry.extra, and so does that of every entry from before.

create table trail.context (
  id      int8 not null,                         -- of an entry that refers to it, by {"contextId": "…"} in its extra
  context text not null                          -- json
) partition by range (id);
comment on table trail.context is 'What logical messages carried in context, once for each message that an entry refers to. Partitions and retention are those of trail.entry. Insert only.';

do $$
begin
  if exists (select from pg_catalog.pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
    alter table trail.context alter column context set compression lz4;
  end if;
end $$;

-- Not unique: as of entries, that rests on the fence (0001), and a checkpoint that somebody takes back by hand must stop nothing.
create index context_id on trail.context (id);

comment on column trail.entry.extra is 'json: {"context": … or "contextId": "…", "unread": …, "origin": "…", "claimedCommitAt": "…", "lastSetBy": …, "conflict": …}; null mostly.';

-- ---------------------------------------------------------------- partitions

create function trail.context_partition_name(p_day int4) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select to_char(date '2026-01-01' + p_day, '"context_"YYYY_MM_DD')
$$;

create function trail.make_context_partition(p_day int4) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_name text := trail.context_partition_name(p_day);
begin
  -- Made alone and then attached: "partition of" would lock all contexts against readers and the writer.
  execute format('create table trail.%I (like trail.context including all)', v_name);
  execute format('alter table trail.context attach partition trail.%I for values from (%s) to (%s)',
    v_name, p_day::int8 << 32, (p_day + 1)::int8 << 32);
end $$;

create or replace function trail.make_partition(p_day int4) returns void
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_name text := trail.partition_name(p_day);
begin
  -- Made alone and then attached: "partition of" would lock the whole trail against readers and the writer.
  -- Insert only: vacuum is there to freeze and to keep counts on indexes alone cheap, analyze for the first rows of a day.
  execute format(
    'create table trail.%I (like trail.entry including all) with (
       autovacuum_vacuum_insert_threshold = 100000, autovacuum_vacuum_insert_scale_factor = 0.1,
       autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 0.2)', v_name);
  execute format('alter table trail.entry attach partition trail.%I for values from (%s) to (%s)',
    v_name, p_day::int8 << 32, (p_day + 1)::int8 << 32);
  perform trail.make_context_partition(p_day);
end $$;
comment on function trail.make_partition is 'Makes the partitions of one day, of entries and of their contexts. Not for calling twice; ensure_partitions looks first.';

-- Of the days in which entries may still be stored.
do $$
declare
  v_day int4;
begin
  for v_day in
    select day
      from generate_series(least(trail.today() - 1, (select (next_id >> 32)::int4 from trail.checkpoint)), trail.today() + 366) day
     where exists (select from pg_catalog.pg_class
                    where relnamespace = 'trail'::regnamespace and relname = trail.partition_name(day))
  loop
    perform trail.make_context_partition(v_day);
  end loop;
end $$;

create or replace function trail.trim_chunks() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_next_id int8 := (select next_id from trail.checkpoint);
  v_open int4 := (v_next_id >> 14)::int4;
begin
  if exists (select from trail.chunk where chunk >= v_open) then
    delete from trail.posting where chunk >= v_open;
    delete from trail.chunk where chunk >= v_open;
    delete from trail.block where block >= v_open >> 2;
    delete from trail.block_value where block >= v_open >> 2;
  end if;
  delete from trail.context where id >= v_next_id;
end $$;
comment on function trail.trim_chunks is 'Forgets the lists of chunks that are not complete, and contexts of entries that are not there: somebody took the checkpoint back by hand, and with it entries.';

-- ---------------------------------------------------------------- the trail in words

create function trail.context_of(p_extra text, p_id int8) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_id int8 := case when trail.readable_extra(p_extra, 'contextId') ~ '^\d{1,18}$' then trail.readable_extra(p_extra, 'contextId')::int8 end;
begin
  -- Of the entry's own day, or of none: so one partition is read.
  if v_id is null or v_id >> 32 <> p_id >> 32 then
    return trail.readable_context(p_extra);
  end if;
  return trail.readable_context((select '{"context":' || c.context || '}' from trail.context c where c.id = v_id limit 1));
end $$;
comment on function trail.context_of is 'The context of an entry by what is stored beside its values, and its id.';

create or replace view trail.readable as
select e.id,
       e.committed_at,
       case e.rung when 'w' then 'Waltrail' else m.name end as modified_by,
       m.kind as modifier_kind,
       m.key as modifier_key,
       case e.rung when 'm' then 'message' when 'c' then 'column' when 's' then 'session' when 'w' then 'waltrail' else 'unattributed' end as rung,
       a.name as action,
       t.name as entity_type,
       e.entity_name,
       e.entity_id,
       n.name as tenant,
       trail.readable_values(e.previous, e.columns, r.columns) as previous,
       trail.readable_values(e.updated, e.columns, r.columns) as updated,
       r.schema_name || '.' || r.table_name as source_table,
       case e.operation when 'i' then 'insert' when 'u' then 'update' when 'd' then 'delete' else 'truncate' end as operation,
       e.xid,
       e.commit_lsn,
       e.seq,
       trail.context_of(e.extra, e.id) as context,
       trail.readable_extra(e.extra, 'origin') as origin,
       trail.readable_extra(e.extra, 'claimedCommitAt') as claimed_commit_at,
       e.previous_entity_id,
       e.previous_entity_name,
       e.previous_tenant_id is not null as changed_tenant,
       p.name as previous_tenant
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.tenant p on p.id = e.previous_tenant_id
  left join trail.relation r on r.id = e.relation_id;

-- ---------------------------------------------------------------- rights

revoke execute on function trail.context_partition_name, trail.make_context_partition, trail.context_of from public;
