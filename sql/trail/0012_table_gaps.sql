-- Gaps of named tables (trail.gap.tables is not null) stop nothing: they are recorded while capture streams, and end by
-- themselves when the table is captured again or gone. The writer holds the numbering of entries then, so it writes their entries
-- itself; these functions keep the rows of trail.gap beside them and touch neither the checkpoint nor an entry.

comment on column trail.gap.accepted_at is 'An operator let capture go on (gaps of the whole stream), or has seen it (gaps of named tables).';
comment on column trail.gap.closed_at is 'Capture went on, or the tables are captured again or gone; null while it lasts.';
comment on column trail.gap.entry_id is 'The entry that says so; 0 until it is stored.';

create function trail.begin_table_gaps(p_codes text[], p_tables text[], p_from_lsn pg_lsn) returns setof trail.gap
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_last_entry_at timestamptz := trail.last_commit_before(p_from_lsn);
begin
  insert into trail.gap (code, tables, from_lsn, last_entry_at, entry_id)
  select code, array[name], p_from_lsn, v_last_entry_at, 0 from unnest(p_codes, p_tables) as lacking (code, name)
  on conflict (code, coalesce(tables, '{}')) where closed_at is null do nothing;
  return query
    select gap.* from unnest(p_codes, p_tables) as lacking (code, name)
      join trail.gap on gap.code = lacking.code and coalesce(gap.tables, '{}') = array[lacking.name] and gap.closed_at is null;
end $$;
comment on function trail.begin_table_gaps is 'Records a gap of each table, whose entry the writer stores; returns them, or those which are open already.';

create function trail.tell_table_gap(p_gap int4, p_entry_id int8) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update trail.gap set entry_id = p_entry_id where id = p_gap and entry_id = 0
$$;
comment on function trail.tell_table_gap is 'Notes the entry of a gap, in the transaction that stores the entry.';

create function trail.end_table_gap(p_gap int4, p_to_lsn pg_lsn) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update trail.gap set closed_at = clock_timestamp(), to_lsn = greatest(from_lsn, p_to_lsn)
   where id = p_gap and tables is not null and closed_at is null
$$;
comment on function trail.end_table_gap is 'A gap of named tables has ended, in the transaction that stores the entry which says so.';

create function trail.tell_untold_gap(p_gap int4, p_name text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_gap trail.gap;
begin
  perform from trail.checkpoint for update;
  select * into v_gap from trail.gap where id = p_gap and entry_id = 0;
  if found then
    update trail.gap set entry_id = trail.write_gap_event(v_gap, 'gap', p_name) where id = p_gap;
  end if;
end $$;
comment on function trail.tell_untold_gap is 'Writes the entry of a gap whose writer ended before it could.';

revoke execute on function trail.begin_table_gaps, trail.tell_table_gap, trail.end_table_gap, trail.tell_untold_gap from public;
