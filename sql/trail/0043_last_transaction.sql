-- By which transaction the source is recognised (DECISIONS 108). A source that was put back to an older state, as by a snapshot of its
-- disk, keeps identifier, timeline and slot. It is told from the one that the trail has followed by the last transaction that both had.

alter table trail.checkpoint
  add column last_end_lsn pg_lsn,
  add column last_commit_lsn pg_lsn,
  add column last_sent_at int8,
  add constraint checkpoint_last check ((last_commit_lsn is null) = (last_sent_at is null));
comment on column trail.checkpoint.last_end_lsn is 'End of the last transaction with changes that was stored; before the first one, where capture began, or continued after a gap. The source sends no change between it and end_lsn. Null: not known, in a trail of an earlier release.';
comment on column trail.checkpoint.last_commit_lsn is 'Commit LSN of the transaction that ends at last_end_lsn; null: none ends there.';
comment on column trail.checkpoint.last_sent_at is 'Its commit time as the source sent it, in microseconds since 2000-01-01. Entries may have another (DECISIONS 38).';

drop function trail.advance(text, pg_lsn, int8, pg_lsn, int8, int8, timestamptz);
create function trail.advance(
  p_source text, p_from_lsn pg_lsn, p_from_id int8, p_to_lsn pg_lsn, p_to_id int8, p_entries int8, p_committed_at timestamptz,
  p_last_end_lsn pg_lsn default null, p_last_commit_lsn pg_lsn default null, p_last_sent_at int8 default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_from_day int4 := (p_from_id >> 32)::int4;
  -- Entries of a transaction that is not named, as by a daemon of an earlier release that still runs.
  v_is_unnamed boolean := p_last_end_lsn is null and p_entries > 0 and p_to_lsn > p_from_lsn;
begin
  if p_to_id < p_from_id or p_to_lsn < p_from_lsn then
    raise exception 'the checkpoint cannot go backwards (% to %)', p_from_lsn, p_to_lsn using errcode = 'WT002';
  end if;
  update trail.checkpoint
     set end_lsn = p_to_lsn, next_id = p_to_id, entries = entries + p_entries,
         last_committed_at = coalesce(p_committed_at, last_committed_at), updated_at = clock_timestamp(),
         last_end_lsn = coalesce(p_last_end_lsn, case when v_is_unnamed then p_to_lsn else last_end_lsn end),
         last_commit_lsn = case when p_last_end_lsn is null and not v_is_unnamed then last_commit_lsn else p_last_commit_lsn end,
         last_sent_at = case when p_last_end_lsn is null and not v_is_unnamed then last_sent_at else p_last_sent_at end
   where source = p_source and end_lsn = p_from_lsn and next_id = p_from_id;
  if not found then
    raise exception 'another writer moved the checkpoint of source % (expected %)', p_source, p_from_lsn using errcode = 'WT001';
  end if;
  if (p_to_id >> 32)::int4 <> v_from_day and (p_from_id & 4294967295) > 0 then
    insert into trail.day (day, entries) values (v_from_day, p_from_id & 4294967295);
  end if;
end $$;
comment on function trail.advance is 'Moves the checkpoint from exactly the expected position, or raises WT001. Called in the transaction that stores the entries. A batch never spans days: its entries have the day of p_to_id. p_last_end_lsn: null where the batch has no transaction with changes.';
revoke execute on function trail.advance from public;

create or replace function trail.adopt_source(
  p_from_lsn pg_lsn, p_to_lsn pg_lsn, p_system_identifier text, p_timeline int4, p_slot text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Without a gap nothing may be skipped or read twice, and the cluster stays the same; its timeline may grow.
  update trail.checkpoint c
     set end_lsn = p_to_lsn, start_lsn = least(start_lsn, p_to_lsn), updated_at = clock_timestamp(),
         system_identifier = p_system_identifier, timeline = p_timeline, slot = p_slot,
         last_end_lsn = case when quiet.within then c.last_end_lsn else p_to_lsn end,
         last_commit_lsn = case when quiet.within then c.last_commit_lsn end,
         last_sent_at = case when quiet.within then c.last_sent_at end
    from (select system_identifier = p_system_identifier and p_to_lsn between least(last_end_lsn, end_lsn) and end_lsn as within
            from trail.checkpoint) quiet
   where c.end_lsn = p_from_lsn and (quiet.within or exists (select from trail.gap where closed_at is null));
  if not found then
    raise exception 'the checkpoint is not at %, or there is no open gap', p_from_lsn using errcode = 'WT001';
  end if;
end $$;
comment on function trail.adopt_source is 'Moves capture to its place after a failover or a gap, or back to a position after which the source has sent no change. The only way for the checkpoint to move other than by trail.advance.';

do $$
declare
  v_missing text[] := trail.grant_roles();
begin
  if v_missing <> '{}' then
    raise notice 'the roles % are missing: Waltrail uses the rights of its login instead', array_to_string(v_missing, ', ');
  end if;
end $$;
