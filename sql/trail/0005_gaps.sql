-- What the trail does not have, and what changed about its tracking. Both are entries among the others, rows of tables
-- that exist nowhere (waltrail.gap, waltrail.tracking), so every reader, filter and export shows them. The functions run
-- with the owner's rights and lock the checkpoint: a writer that still believes in its position is fenced by them.

create table trail.published (
  state jsonb not null,                          -- what decides which changes the stream carries (src/tracking/published.ts)
  lsn   pg_lsn not null                          -- everything before was written to the WAL under that state
);
create unique index published_one on trail.published ((true));
comment on table trail.published is 'The publication as the last good look at the source found it.';

create table trail.gap (
  id            int4 primary key generated always as identity,
  code          text not null,                   -- of src/errors.ts: what happened, and its remedy
  tables        text[],                          -- which tracked tables may lack changes; null: all
  from_lsn      pg_lsn not null,                 -- changes committed from here on
  to_lsn        pg_lsn,                          -- and before here may be missing; null: not known yet
  last_entry_at timestamptz,                     -- commit time of the last entry before from_lsn; null: none. Reports are marked from here on
  found_at      timestamptz not null default clock_timestamp(),
  accepted_at   timestamptz,                     -- an operator let capture go on
  closed_at     timestamptz,                     -- capture went on; until then the trail ends at the gap
  entry_id      int8 not null,                   -- the entry that says so
  check (closed_at is null or to_lsn is not null)
);
create unique index gap_open on trail.gap (code, coalesce(tables, '{}')) where closed_at is null;
comment on table trail.gap is 'Stretches of the source''s WAL that may hold changes which the trail does not have. Insert and close only.';

-- ---------------------------------------------------------------- entries of the trail's own

create function trail.encode_fields(p_values text[]) returns text
language sql immutable set search_path = '' as $$
  -- The encoding of src/trail/values.ts.
  select string_agg(coalesce(replace(replace(value, e'\x1b', e'\x1b['), e'\x1f', e'\x1b_'), e'\x1bN') || e'\x1f', '' order by place)
    from unnest(p_values) with ordinality as v (value, place)
$$;

create function trail.write_event(
  p_table text, p_action text, p_name text, p_id text, p_columns text[], p_previous text[], p_updated text[], p_lsn pg_lsn, p_seq int4
) returns int8
language plpgsql set search_path = '' as $$
declare
  v_checkpoint trail.checkpoint;
  v_id int8;
  v_action int2;
  v_type int2;
  v_relation int4;
  v_columns jsonb := (select jsonb_agg(jsonb_build_object('name', name, 'type', 25) order by place)
                        from unnest(p_columns) with ordinality as c (name, place));
begin
  -- First of all: what follows numbers dictionary rows, which only the holder of the checkpoint may do.
  select * into strict v_checkpoint from trail.checkpoint for update;
  v_id := greatest(v_checkpoint.next_id, trail.today()::int8 << 32);
  perform trail.advance(v_checkpoint.source, v_checkpoint.end_lsn, v_checkpoint.next_id, v_checkpoint.end_lsn, v_id + 1, 1, null);

  select id into v_action from trail.action where name = p_action;
  if not found then
    insert into trail.action select coalesce(max(id), 0) + 1, p_action from trail.action returning id into v_action;
  end if;
  select id into v_type from trail.entity_type where name = 'waltrail';
  if not found then
    insert into trail.entity_type select coalesce(max(id), 0) + 1, 'waltrail' from trail.entity_type returning id into v_type;
  end if;
  select id into v_relation from trail.relation where schema_name = 'waltrail' and table_name = p_table and columns = v_columns;
  if not found then
    insert into trail.relation (id, schema_name, table_name, columns)
    select coalesce(max(id), 0) + 1, 'waltrail', p_table, v_columns from trail.relation returning id into v_relation;
  end if;

  insert into trail.entry (id, committed_at, commit_lsn, seq, xid, modifier_id, relation_id, tenant_id, entity_type_id,
                           action_id, operation, rung, entity_id, entity_name, columns, previous, updated, extra)
  values (v_id, clock_timestamp(), p_lsn, p_seq, '0', 0, v_relation, 0, v_type,
          v_action, case when p_previous is null then 'i' else 'u' end, 'w', p_id, p_name, null,
          trail.encode_fields(p_previous), trail.encode_fields(p_updated), null);
  return v_id;
end $$;
comment on function trail.write_event is 'Stores an entry of the trail''s own (entity type waltrail) behind the last one. Its seq is negative: no change of the source has such an identity.';

create function trail.write_gap_event(p_gap trail.gap, p_action text, p_name text) returns int8
language sql set search_path = '' as $$
  select trail.write_event('gap', p_action, p_name, p_gap.id::text,
    array['code', 'tables', 'from_lsn', 'to_lsn', 'last_entry_at'], null,
    array[p_gap.code, array_to_string(p_gap.tables, ', '), p_gap.from_lsn::text, p_gap.to_lsn::text,
          to_char(p_gap.last_entry_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US+00')],
    p_gap.from_lsn, case p_action when 'gap' then 0 else 1 end - 2 * p_gap.id)
$$;

-- ---------------------------------------------------------------- gaps

create function trail.last_commit_before(p_lsn pg_lsn) returns timestamptz
language plpgsql stable set search_path = '' as $$
declare
  v_checkpoint trail.checkpoint;
  v_first int8;
  v_chunk int4;
  v_at timestamptz;
begin
  select * into strict v_checkpoint from trail.checkpoint;
  if p_lsn >= v_checkpoint.end_lsn then
    return v_checkpoint.last_committed_at;
  end if;
  -- Behind a fork, and where a publication was seen to be broken a moment late, the trail goes on beyond the beginning of the gap:
  -- back from its end, a chunk at a time, to where the source became another one, whose positions mean nothing here. Dynamic, so
  -- that the planner sees the bounds and opens one partition.
  select coalesce(max(entry_id), 0) into v_first from trail.gap where code = 'SOURCE_CHANGED' and closed_at is not null;
  for v_chunk in
    select c.chunk from trail.days() d
     cross join lateral generate_series(d.day << 18, (d.day << 18) + ((d.entries - 1) >> 14)::int4) c (chunk)
     where d.entries > 0 and c.chunk >= v_first >> 14 order by c.chunk desc
  loop
    execute format($q$
      select committed_at from trail.entry
       where id >= %s and id < %s and commit_lsn < %L and rung <> 'w' order by id desc limit 1 $q$,
      greatest(v_chunk::int8 << 14, v_first), (v_chunk::int8 + 1) << 14, p_lsn) into v_at;
    exit when v_at is not null;
  end loop;
  return v_at;
end $$;
comment on function trail.last_commit_before is 'Commit time of the last entry of the source before a position; null where there is none.';

create function trail.open_gap(p_code text, p_name text, p_tables text[], p_from_lsn pg_lsn, p_to_lsn pg_lsn) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_gap trail.gap;
begin
  perform from trail.checkpoint for update;
  -- Found again it may be longer: moved again, or broken again after it was mended. Null: it goes on.
  update trail.gap
     set from_lsn = least(from_lsn, p_from_lsn),
         last_entry_at = case when p_from_lsn < from_lsn then least(last_entry_at, trail.last_commit_before(p_from_lsn)) else last_entry_at end,
         to_lsn = case when to_lsn is not null and p_to_lsn is not null then greatest(to_lsn, p_to_lsn) end
   where code = p_code and coalesce(tables, '{}') = coalesce(p_tables, '{}') and closed_at is null;
  if found then
    return false;
  end if;
  insert into trail.gap (code, tables, from_lsn, to_lsn, last_entry_at, entry_id)
  values (p_code, p_tables, p_from_lsn, p_to_lsn, trail.last_commit_before(p_from_lsn), 0)
  returning * into v_gap;
  update trail.gap set entry_id = trail.write_gap_event(v_gap, 'gap', p_name) where id = v_gap.id;
  return true;
end $$;
comment on function trail.open_gap is 'Records a gap and its entry; false where the same one is open already, which then covers both.';

create function trail.end_gap(p_gap int4, p_to_lsn pg_lsn) returns void
language sql security definer set search_path = '' as $$
  update trail.gap set to_lsn = p_to_lsn where id = p_gap and to_lsn is null
$$;
comment on function trail.end_gap is 'The source is as it should be again: what is committed from p_to_lsn on is not missing.';

create function trail.accept_gaps() returns int4
language sql security definer set search_path = '' as $$
  with accepted as (update trail.gap set accepted_at = clock_timestamp() where closed_at is null and accepted_at is null returning id)
  select count(*)::int4 from accepted
$$;
comment on function trail.accept_gaps is 'Lets capture go on after the gaps that are open; returns how many. For an operator (waltrail gaps --accept).';

create function trail.close_gaps(p_gaps int4[], p_to_lsn pg_lsn, p_name text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_gap trail.gap;
begin
  perform from trail.checkpoint for update;
  for v_gap in
    update trail.gap set closed_at = clock_timestamp(), to_lsn = coalesce(to_lsn, p_to_lsn)
     where id = any(p_gaps) and closed_at is null
    returning *
  loop
    perform trail.write_gap_event(v_gap, 'gap_closed', p_name);
  end loop;
end $$;
comment on function trail.close_gaps is 'Capture goes on after these gaps: writes an entry for each with the stretch that may be missing.';

create function trail.adopt_source(
  p_from_lsn pg_lsn, p_to_lsn pg_lsn, p_system_identifier text, p_timeline int4, p_slot text
) returns void
language plpgsql security definer set search_path = '' as $$
begin
  -- Without a gap nothing may be skipped or read twice, and the cluster stays the same; its timeline may grow.
  update trail.checkpoint
     set end_lsn = p_to_lsn, start_lsn = least(start_lsn, p_to_lsn), updated_at = clock_timestamp(),
         system_identifier = p_system_identifier, timeline = p_timeline, slot = p_slot
   where end_lsn = p_from_lsn
     and ((p_to_lsn = p_from_lsn and system_identifier = p_system_identifier) or exists (select from trail.gap where closed_at is null));
  if not found then
    raise exception 'the checkpoint is not at %, or there is no open gap', p_from_lsn using errcode = 'WT001';
  end if;
end $$;
comment on function trail.adopt_source is 'Where capture goes on after a failover or a gap. The only way for the checkpoint to move other than by trail.advance.';

-- ---------------------------------------------------------------- tracking

create function trail.record_tracking(p_name text, p_previous text, p_updated text, p_lsn pg_lsn) returns void
language sql security definer set search_path = '' as $$
  select trail.write_event('tracking', 'tracking', p_name, null, array['change'], array[p_previous], array[p_updated], p_lsn,
    -- Of one position there may be several: its number among all entries is as good as any.
    -2000000000 + (c.entries % 1000000000)::int4)
    from trail.checkpoint c
$$;
comment on function trail.record_tracking is 'Stores an entry that says what changed about the tracking, with nothing missing.';

create function trail.remember_published(p_state jsonb, p_lsn pg_lsn) returns void
language sql security definer set search_path = '' as $$
  insert into trail.published values (p_state, p_lsn)
  on conflict ((true)) do update set state = excluded.state, lsn = excluded.lsn
$$;
comment on function trail.remember_published is 'The state of the publication that the next look is compared with.';
