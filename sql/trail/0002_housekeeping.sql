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

create function trail.summarize_block(p_block int4) returns void
language plpgsql set search_path = '' as $$
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
  -- Every pair of dimensions, from both sides, with each value's own count in its own list.
  execute format($q$
    insert into trail.block_value
    with cell as materialized (
      select modifier_id as m, entity_type_id::int4 as t, action_id::int4 as a, tenant_id as n, count(*) as entries from trail.entry
       where id >= %1$s and id < %2$s
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
  v_block int4;
begin
  -- Which day is running is read in the statement that reads the days: one that begins in between must not look finished.
  for v_block in
    select b.block
      from trail.days() d cross join trail.checkpoint running
     -- The last block of the running day is open; of a finished day it is as full as it gets.
     cross join lateral generate_series(d.day << 16, (d.day << 16)
       + case when d.day = running.next_id >> 32 then (d.entries >> 16) - 1 else (d.entries - 1) >> 16 end::int4) b (block)
     where not exists (select from trail.block done where done.block = b.block)
       -- All of its chunks: four, or fewer in the last block of a finished day.
       and (select count(*) from trail.chunk c where c.chunk between b.block << 2 and (b.block << 2) + 3)
           = least(4, (d.day << 18) + ((d.entries - 1) >> 14)::int4 - (b.block << 2) + 1)
     order by b.block limit p_limit
  loop
    perform trail.summarize_block(v_block);
    v_done := v_done + 1;
  end loop;
  return v_done;
end $$;
comment on function trail.roll_up is 'Summarises at most p_limit blocks whose chunks are complete and that have no summary yet; returns how many. Safe to call at any time.';

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
  delete from trail.day where day < p_day;
  return v_dropped;
end $$;
comment on function trail.drop_before is 'Drops the partitions of all days before p_day; returns how many. For the owner; waits at most 2 s for a lock, so that the writer is never held up for long. What is left of these days trail.forget_dropped removes.';

create function trail.forget_dropped() returns boolean
language plpgsql security definer set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_day int4 := (select min(chunk) >> 18 from trail.chunk);
begin
  -- Nothing where nobody says which days there are.
  if (v_day < (select min(day) from trail.days())) is not true then
    return false;
  end if;
  -- Every bucket is named, so that the primary key leads to the oldest chunks of each and nothing else is read.
  delete from trail.posting
   where dimension = any (array['m', 't', 'a', 'n', 'e']::"char"[])
     and bucket = any (array(select generate_series(0, 1023)::int2)) and chunk < (v_day + 1) << 18;
  delete from trail.block_value where block < (v_day + 1) << 16;
  delete from trail.block where block < (v_day + 1) << 16;
  delete from trail.chunk where chunk < (v_day + 1) << 18;
  return true;
end $$;
comment on function trail.forget_dropped is 'Removes the lists and summaries of the oldest dropped day that still has any; false when none has. A transaction of its own, for drop_before holds a lock on all of trail.entry until it is over.';

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
