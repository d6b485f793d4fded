-- Making partitions one after another without an advisory lock: every login of the database may hold any of those, and so stop the
-- writer at its start. Only the owner may take this mode on this table. It conflicts with itself, but not with changes of rows.

create or replace function trail.ensure_partitions(p_days_ahead int4) returns int4
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_today int4 := trail.today();
  v_made int4 := 0;
  v_day int4;
begin
  if p_days_ahead not between 0 and 366 then
    raise exception 'days ahead must be between 0 and 366, not %', p_days_ahead using errcode = '22023';
  end if;
  -- Before the look below: whoever waited here must see what the other has made.
  lock table trail.migration in share update exclusive mode;
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
