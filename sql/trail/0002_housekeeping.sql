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
