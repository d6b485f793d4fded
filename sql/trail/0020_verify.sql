-- What `waltrail verify --quick` compares: the trail remembers how many entries the retention has dropped, so that what was stored since
-- its beginning (trail.checkpoint.entries) is what is there and what was dropped, to the entry.

alter table trail.day add column dropped_at timestamptz;
comment on column trail.day.dropped_at is 'When the retention dropped the day; null: its entries are there.';
comment on table trail.day is 'Finished days that have, or had, entries. The running day is (checkpoint.next_id >> 32).';

-- Earlier retentions left no trace: what they dropped is the difference as of now, noted as one day before the first.
insert into trail.day (day, entries, dropped_at)
select coalesce((select min(day) from trail.day), (c.next_id >> 32)::int4) - 1, c.entries - stored.entries, clock_timestamp()
  from trail.checkpoint c cross join (select sum(entries) as entries from trail.days()) stored
 where c.entries > stored.entries;

create or replace function trail.days() returns table (day int4, entries int8)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select day, entries from trail.day where dropped_at is null
  union all
  select (next_id >> 32)::int4, next_id & 4294967295 from trail.checkpoint
$$;

create or replace function trail.drop_before(p_day int4) returns int4
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
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
    -- Days from before 0017 have none.
    execute format('drop table if exists trail.%I', trail.context_partition_name(v_day));
    v_dropped := v_dropped + 1;
  end loop;
  update trail.day set dropped_at = clock_timestamp() where day < p_day and dropped_at is null;
  return v_dropped;
end $$;
