-- Gaps that begin and end at one position, and looks that saw nothing new.
--
-- Such a gap: rows of a table were given other values by a command that sends none of them, and
-- an event trigger on the source has said where. It is recorded in the transaction that stores what was sent there; capture
-- then writes its two entries (src/capture/watch.ts).

create function trail.pass_table_gap(p_code text, p_table text, p_lsn pg_lsn) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into trail.gap (code, tables, from_lsn, to_lsn, last_entry_at, entry_id)
  values (p_code, array[p_table], p_lsn, p_lsn, trail.last_commit_before(p_lsn), 0)
  on conflict (code, coalesce(tables, '{}')) where closed_at is null do update
     set to_lsn = case when gap.to_lsn is not null then greatest(gap.to_lsn, excluded.to_lsn) end
$$;
comment on function trail.pass_table_gap is 'Records a gap of a table that begins and ends at a position; one that is open already becomes longer.';

-- One that has become longer since its end was told keeps the later end.
create or replace function trail.end_table_gap(p_gap int4, p_to_lsn pg_lsn) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update trail.gap set closed_at = clock_timestamp(), to_lsn = greatest(from_lsn, to_lsn, p_to_lsn)
   where id = p_gap and tables is not null and closed_at is null
$$;

-- The state is large where there are many tables, and mostly the same.
create function trail.published_until(p_lsn pg_lsn) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update trail.published set lsn = p_lsn
$$;
comment on function trail.published_until is 'Moves the position of the last look on, which saw the state that is stored.';

revoke execute on function trail.pass_table_gap, trail.published_until from public;
