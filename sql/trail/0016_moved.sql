-- A row that moves to another entity id or to another tenant is one entry, which is found under both (src/DECISIONS.md, 57). A reader
-- of one tenant sees its own side of such an entry, and the names of rows of its own tenant.

-- ---------------------------------------------------------------- entries

alter table trail.entry
  add column previous_tenant_id   int4,              -- the tenant before, where an update changed it; 0: it had none
  add column previous_entity_id   text collate "C",  -- the entity id before, where an update changed it or the tenant
  add column previous_entity_name text;              -- the name as of the values before, where an update changed the tenant
comment on column trail.entry.previous_tenant_id is 'Null: the update did not change the tenant, or the source did not send the one before. 0: the row had no tenant.';
comment on column trail.entry.previous_entity_id is 'Null where previous_tenant_id is null: unchanged, or not sent. Null beside a previous tenant: not sent, or there was none.';

-- ---------------------------------------------------------------- posting lists

comment on column trail.posting.dimension is
  'm modifier, t entity type, a action, n tenant, e entity, v moved from or to a tenant. An entry that moved has two keys in n, e and v.';

drop function trail.unindexed_entries;
create function trail.unindexed_entries(p_above int8, p_limit int4) returns table (
  id int8, committed_at int8, modifier_id int4, entity_type_id int2, action_id int2, tenant_id int4, previous_tenant_id int4,
  entity_hash int4, previous_entity_hash int4
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select e.id,
         -- Infinity is the greatest number there is, as in the binary form of a timestamptz.
         case when e.committed_at = 'infinity' then 9223372036854775807
              when e.committed_at = '-infinity' then -9223372036854775808
              else ((extract(epoch from e.committed_at) - 946684800) * 1000000)::int8 end,
         e.modifier_id, e.entity_type_id, e.action_id, e.tenant_id, e.previous_tenant_id,
         trail.entity_hash(e.entity_id), trail.entity_hash(e.previous_entity_id)
    from trail.entry e
   where e.id > p_above and e.id >= (select coalesce(max(chunk) + 1, 0)::int8 << 14 from trail.chunk)
   order by e.id limit p_limit
$$;
comment on function trail.unindexed_entries is 'What trail.posting is made of, for entries behind the last complete chunk and above an id. The writer, who cannot read entries, goes on from it; commit times are microseconds since 2000-01-01.';
revoke execute on function trail.unindexed_entries from public;

create or replace function trail.forget_dropped() returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_day int4 := (select min(chunk) >> 18 from trail.chunk);
begin
  -- Nothing where nobody says which days there are.
  if (v_day < (select min(day) from trail.days())) is not true then
    return false;
  end if;
  -- Every bucket is named, so that the primary key leads to the oldest chunks of each and nothing else is read.
  delete from trail.posting
   where dimension = any (array['m', 't', 'a', 'n', 'e', 'v']::"char"[])
     and bucket = any (array(select generate_series(0, 1023)::int2)) and chunk < (v_day + 1) << 18;
  delete from trail.block_value where block < (v_day + 1) << 16;
  delete from trail.block where block < (v_day + 1) << 16;
  delete from trail.chunk where chunk < (v_day + 1) << 18;
  return true;
end $$;

-- ---------------------------------------------------------------- summaries

comment on column trail.block.tenant_counts is 'An entry that moved from one tenant to another counts for both.';

create or replace function trail.summarize_block(p_block int4) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Dynamic, so that the planner sees the bounds and opens one partition. Entries of a complete block never change.
  execute format($q$
    insert into trail.block
    with chunk as materialized (select * from trail.chunk where chunk between %1$s and %2$s), counted as (
      select list, value, sum(entries)::int4 as entries
        from (select 'm' as list, unnest(modifiers) as value, unnest(modifier_counts) as entries from chunk
              union all select 't', unnest(entity_types), unnest(entity_type_counts) from chunk
              union all select 'a', unnest(actions), unnest(action_counts) from chunk
              union all select 'n', unnest(tenants), unnest(tenant_counts) from chunk) of_chunks
       group by list, value
    )
    select %3$s, sum(entries) filter (where list = 't')::int4,
           (select min(first_committed_at) from chunk), (select max(last_committed_at) from chunk), %4$s
      from counted having count(*) > 0
    on conflict do nothing $q$,
    p_block::int8 << 2, (p_block::int8 << 2) + 3, p_block, trail.summary_lists());
  -- Every pair of dimensions, from both sides, with each value's own count in its own list. Cells of an entry that moved: one of
  -- its tenant, for all pairs, and one of the tenant before, for the pairs that have the tenant.
  execute format($q$
    insert into trail.block_value
    with cell as materialized (
      select modifier_id as m, entity_type_id::int4 as t, action_id::int4 as a, tenant_id as n, previous_tenant_id as p, count(*) as entries
        from trail.entry
       where id >= %1$s and id < %2$s
       group by 1, 2, 3, 4, 5
    ), pair as materialized (
      select grouping(m, t, a, n) as dimensions, m, t, a, n, sum(entries)::int4 as entries from cell
       group by grouping sets ((m, t), (m, a), (m, n), (t, a), (t, n), (a, n))
      union all
      select grouping(m, t, a, p), m, t, a, p, sum(entries)::int4 from cell where p is not null
       group by grouping sets ((m, p), (t, p), (a, p))
    ), own as materialized (
      select 'm' as dimension, unnest(modifiers) as key, unnest(modifier_counts) as entries from trail.block where block = %5$s
      union all select 't', unnest(entity_types), unnest(entity_type_counts) from trail.block where block = %5$s
      union all select 'a', unnest(actions), unnest(action_counts) from trail.block where block = %5$s
      union all select 'n', unnest(tenants), unnest(tenant_counts) from trail.block where block = %5$s
    ), listed as (
      select dimension, key, dimension as list, key as value, entries from own
      union all select 'm', m, 't', t, entries from pair where dimensions = 3
      union all select 't', t, 'm', m, entries from pair where dimensions = 3
      union all select 'm', m, 'a', a, entries from pair where dimensions = 5
      union all select 'a', a, 'm', m, entries from pair where dimensions = 5
      union all select 'm', m, 'n', n, entries from pair where dimensions = 6
      union all select 'n', n, 'm', m, entries from pair where dimensions = 6
      union all select 't', t, 'a', a, entries from pair where dimensions = 9
      union all select 'a', a, 't', t, entries from pair where dimensions = 9
      union all select 't', t, 'n', n, entries from pair where dimensions = 10
      union all select 'n', n, 't', t, entries from pair where dimensions = 10
      union all select 'a', a, 'n', n, entries from pair where dimensions = 12
      union all select 'n', n, 'a', a, entries from pair where dimensions = 12
    ), counted as (
      select dimension, key, list, value, sum(entries)::int4 as entries from listed group by 1, 2, 3, 4
    )
    select dimension, key, %5$s, %6$s
      from counted join own using (dimension, key)
     where dimension in ('t', 'a') or own.entries >= 64
     group by dimension, key
    on conflict do nothing $q$,
    p_block::int8 << 16, (p_block::int8 + 1) << 16, p_block::int8 << 2, (p_block::int8 << 2) + 3, p_block,
    replace(trail.summary_lists(), 'entries', 'counted.entries'));
end $$;

-- ---------------------------------------------------------------- names of rows of a tenant

alter table trail.lookup add column tenant text;     -- the tenant of the row that the name is from, as in trail.tenant; null: none, or not known
comment on column trail.lookup.tenant is 'Who sees one tenant sees only names with it, unless trail.lookup_table says that the rows of the table have no tenants.';

create table trail.lookup_table (
  table_name  text primary key,                  -- schema.table of the source
  has_tenants boolean not null                   -- its rows belong to tenants: the YAML names a tenant column of it
);
comment on table trail.lookup_table is 'Tables whose names are in trail.lookup, as the running configuration knows them. Written by the writer when a session begins.';
