-- What keeps the trail going: partitions ahead, summaries of full blocks, retention. Called every few seconds by
-- src/trail/housekeeping.ts. The functions run with the owner's rights so that the caller needs none on the tables.

-- ---------------------------------------------------------------- partitions

create function trail.today() returns int4
language sql stable set search_path = '' as $$
  select (clock_timestamp() at time zone 'utc')::date - date '2026-01-01'
$$;
comment on function trail.today is 'The running day as entry ids count it: days since 2026-01-01 UTC.';

create function trail.partition_name(p_day int4) returns text
language sql immutable set search_path = '' as $$
  select to_char(date '2026-01-01' + p_day, '"entry_"YYYY_MM_DD')
$$;

create function trail.make_partition(p_day int4) returns void
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
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
end $$;
comment on function trail.make_partition is 'Makes the partition of one day. Not for calling twice; ensure_partitions looks first.';

create function trail.ensure_partitions(p_days_ahead int4) returns int4
language plpgsql security definer set search_path = '' as $$
declare
  v_today int4 := trail.today();
  v_made int4 := 0;
  v_day int4;
begin
  if p_days_ahead not between 0 and 366 then
    raise exception 'days ahead must be between 0 and 366, not %', p_days_ahead using errcode = '22023';
  end if;
  -- Before the look below: whoever waited here must see what the other has made.
  perform pg_advisory_xact_lock(hashtextextended('trail.ensure_partitions', 0));
  -- From yesterday on, because a clock that was set back must not leave the writer without a partition.
  for v_day in
    select day from generate_series(greatest(v_today - 1, 0), v_today + p_days_ahead) day
     where not exists (select from pg_catalog.pg_class
                        where relnamespace = 'trail'::regnamespace and relname = trail.partition_name(day))
  loop
    perform trail.make_partition(v_day);
    v_made := v_made + 1;
  end loop;
  return v_made;
end $$;
comment on function trail.ensure_partitions is 'Makes the missing partitions from yesterday to so many days ahead; returns how many.';

-- ---------------------------------------------------------------- summaries

create function trail.summary_lists() returns text
language sql immutable set search_path = '' as $$
  select string_agg(format('array_agg(value order by value) filter (where list = %1$L), array_agg(entries order by value) filter (where list = %1$L)',
                           list), ', ' order by place)
    from unnest(array['m', 't', 'a', 'n']) with ordinality as lists (list, place)
$$;
comment on function trail.summary_lists is 'The lists of a summary in the order of its columns, to be selected from rows (list, value, entries).';

create function trail.summarize_chunk(p_chunk int4) returns void
language plpgsql set search_path = '' as $$
begin
  -- Dynamic, so that the planner sees the bounds and opens one partition. Entries of a full chunk never change.
  execute format($q$
    insert into trail.chunk
    with entry as materialized (
      select committed_at, modifier_id, entity_type_id, action_id, tenant_id from trail.entry
       where id >= %1$s and id < %2$s and ((id >> 14)::int4) = %3$s
    ), cell as materialized (
      select entity_type_id, action_id, tenant_id, count(*) as entries, min(committed_at) as first, max(committed_at) as last
        from entry group by entity_type_id, action_id, tenant_id
    ), counted as (
      select 'm' as list, modifier_id as value, count(*)::int4 as entries from entry group by modifier_id
      union all select 't', entity_type_id, sum(entries)::int4 from cell group by entity_type_id
      union all select 'a', action_id, sum(entries)::int4 from cell group by action_id
      union all select 'n', tenant_id, sum(entries)::int4 from cell group by tenant_id
    )
    select %3$s, sum(entries) filter (where list = 't')::int4, (select min(first) from cell), (select max(last) from cell), %4$s
      from counted having count(*) > 0
    on conflict do nothing $q$,
    p_chunk::int8 << 14, (p_chunk::int8 + 1) << 14, p_chunk, trail.summary_lists());
end $$;

create function trail.summarize_block(p_block int4) returns void
language plpgsql set search_path = '' as $$
begin
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
  -- Every pair of dimensions, from both sides, with each value's own count in its own list.
  execute format($q$
    insert into trail.block_value
    with cell as materialized (
      select modifier_id as m, entity_type_id::int4 as t, action_id::int4 as a, tenant_id as n, count(*) as entries from trail.entry
       where id >= %1$s and id < %2$s and ((id >> 14)::int4) between %3$s and %4$s
       group by 1, 2, 3, 4
    ), pair as materialized (
      select grouping(m, t, a, n) as dimensions, m, t, a, n, sum(entries)::int4 as entries from cell
       group by grouping sets ((m, t), (m, a), (m, n), (t, a), (t, n), (a, n))
    ), own as materialized (
      select 'm' as dimension, unnest(modifiers) as key, unnest(modifier_counts) as entries from trail.block where block = %5$s
      union all select 't', unnest(entity_types), unnest(entity_type_counts) from trail.block where block = %5$s
      union all select 'a', unnest(actions), unnest(action_counts) from trail.block where block = %5$s
      union all select 'n', unnest(tenants), unnest(tenant_counts) from trail.block where block = %5$s
    ), counted as (
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
    )
    select dimension, key, %5$s, %6$s
      from counted join own using (dimension, key)
     where dimension in ('t', 'a') or own.entries >= 64
     group by dimension, key
    on conflict do nothing $q$,
    p_block::int8 << 16, (p_block::int8 + 1) << 16, p_block::int8 << 2, (p_block::int8 << 2) + 3, p_block,
    replace(trail.summary_lists(), 'entries', 'counted.entries'));
end $$;

create function trail.summarize_pages(p_day int4) returns void
language plpgsql set search_path = '' set lock_timeout = '100ms' as $$
begin
  -- Of pages that the BRIN index does not know all are read for every question to it. Autovacuum does it too, but when it likes.
  perform pg_catalog.brin_summarize_new_values(i.indexrelid)
     from pg_catalog.pg_index i
     join pg_catalog.pg_class c on c.oid = i.indexrelid
     join pg_catalog.pg_am a on a.oid = c.relam
    where a.amname = 'brin' and i.indrelid = pg_catalog.to_regclass(format('trail.%I', trail.partition_name(p_day)));
exception
  when lock_not_available then null;   -- a vacuum is at it
end $$;

create function trail.days() returns table (day int4, entries int8)
language sql stable set search_path = '' as $$
  select day, entries from trail.day
  union all
  select (next_id >> 32)::int4, next_id & 4294967295 from trail.checkpoint
$$;
comment on function trail.days is 'All days with entries, the running one included: ids of a day are (day << 32) + 0 to entries - 1.';

create function trail.roll_up(p_limit int4) returns int4
language plpgsql security definer set search_path = '' as $$
declare
  v_done int4 := 0;
  v_day int4;
  v_chunk int4;
  v_block int4;
begin
  -- Which day is running is read in the statement that reads the days: one that begins in between must not look finished.
  for v_chunk in
    select c.chunk
      from trail.days() d cross join trail.checkpoint running
     -- The last chunk of the running day is open; of a finished day it is as full as it gets.
     cross join lateral generate_series(d.day << 18, (d.day << 18)
       + case when d.day = running.next_id >> 32 then (d.entries >> 14) - 1 else (d.entries - 1) >> 14 end::int4) c (chunk)
     where not exists (select from trail.chunk done where done.chunk = c.chunk)
     order by c.chunk limit p_limit
  loop
    perform trail.summarize_chunk(v_chunk);
    -- With a day's first chunk the planner gets to know its values: until then all of them look equally rare to it.
    if exists (select from pg_catalog.pg_class where relnamespace = 'trail'::regnamespace
                  and relname = trail.partition_name(v_chunk >> 18) and reltuples < 0) then
      execute format('analyze trail.%I', trail.partition_name(v_chunk >> 18));
    end if;
    if v_day <> v_chunk >> 18 then
      perform trail.summarize_pages(v_day);
    end if;
    v_day := v_chunk >> 18;
    v_done := v_done + 1;
  end loop;
  if v_done > 0 then
    perform trail.summarize_pages(v_day);
  end if;
  for v_block in
    select b.block
      from trail.days() d cross join trail.checkpoint running
     cross join lateral generate_series(d.day << 16, (d.day << 16)
       + case when d.day = running.next_id >> 32 then (d.entries >> 16) - 1 else (d.entries - 1) >> 16 end::int4) b (block)
     where not exists (select from trail.block done where done.block = b.block)
       -- All of its chunks: four, or fewer in the last block of a finished day.
       and (select count(*) from trail.chunk c where c.chunk between b.block << 2 and (b.block << 2) + 3)
           = least(4, (d.day << 18) + ((d.entries - 1) >> 14)::int4 - (b.block << 2) + 1)
     order by b.block limit p_limit
  loop
    perform trail.summarize_block(v_block);
  end loop;
  return v_done;
end $$;
comment on function trail.roll_up is 'Summarises at most p_limit chunks that are full and have no row in trail.chunk yet, and the blocks they complete; returns how many chunks. Safe to call at any time.';

-- ---------------------------------------------------------------- retention

create function trail.drop_before(p_day int4) returns int4
language plpgsql set search_path = '' set lock_timeout = '2s' as $$
declare
  v_dropped int4 := 0;
  v_day int4;
begin
  for v_day in
    select day from generate_series(0, p_day - 1) day
     where exists (select from pg_catalog.pg_class
                    where relnamespace = 'trail'::regnamespace and relname = trail.partition_name(day))
  loop
    execute format('drop table trail.%I', trail.partition_name(v_day));
    v_dropped := v_dropped + 1;
  end loop;
  delete from trail.chunk where chunk < p_day << 18;
  delete from trail.block where block < p_day << 16;
  delete from trail.block_value where block < p_day << 16;
  delete from trail.day where day < p_day;
  return v_dropped;
end $$;
comment on function trail.drop_before is 'Drops the partitions of all days before p_day with their summaries; returns how many. For the owner; waits at most 2 s for a lock, so that the writer is never held up for long.';

create function trail.retain_days(p_days int4) returns int4
language plpgsql security definer set search_path = '' as $$
begin
  if p_days is null or p_days < 1 then
    raise exception 'the retention is at least one day, not %', p_days using errcode = '22023';
  end if;
  -- Never the day that the writer is in, even when the clock says it is long gone.
  return trail.drop_before(least(trail.today() - p_days, (select (next_id >> 32)::int4 from trail.checkpoint)));
end $$;
comment on function trail.retain_days is 'Retention: keeps entries for p_days whole days after the day on which they were stored. The only way to remove entries but for the owner.';
