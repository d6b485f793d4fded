-- Baselines (src/DECISIONS.md, 107): one entry for each row that existed already when its table began to be tracked. Letter b of
-- trail.entry.operation, and of trail.entry.rung: no change, and nobody is said to have made it.

create table trail.baseline (
  table_name text primary key,                   -- schema.table of the source, as the YAML knows it
  oid        int8 not null,                      -- of the table: one that was made anew begins anew
  row_limit  int4 not null,                      -- max_rows of the YAML
  outcome    text not null,
  entries    int4 not null,                      -- rows that made an entry
  lsn        pg_lsn not null,                    -- what commits before is in it, what commits from here on is not
  asked_at   timestamptz not null,               -- gaps that ended later are not covered by it
  stored_at  timestamptz not null default clock_timestamp(),
  check (outcome in ('taken', 'too many rows', 'too many bytes'))
);
comment on table trail.baseline is 'Tables of which a baseline was taken, or was not because they are too large. Forgotten when a table is not tracked with baseline any more.';

create function trail.remember_baseline(
  p_table text, p_oid int8, p_limit int4, p_outcome text, p_entries int4, p_lsn pg_lsn, p_asked_at timestamptz
) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into trail.baseline (table_name, oid, row_limit, outcome, entries, lsn, asked_at)
  values (p_table, p_oid, p_limit, p_outcome, p_entries, p_lsn, p_asked_at)
  on conflict (table_name) do update
     set oid = excluded.oid, row_limit = excluded.row_limit, outcome = excluded.outcome, entries = excluded.entries,
         lsn = excluded.lsn, asked_at = excluded.asked_at, stored_at = excluded.stored_at
$$;
comment on function trail.remember_baseline is 'What became of the baseline of a table, in the transaction that stores its entries.';

create function trail.forget_baselines(p_known text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from trail.baseline where table_name <> all (p_known)
$$;
comment on function trail.forget_baselines is 'Tables that are not tracked with baseline any more: should they be again, that is another beginning.';

revoke execute on function trail.remember_baseline, trail.forget_baselines from public;

-- ---------------------------------------------------------------- entries

-- Not validated: what is stored has one of the old letters, and a large trail is not read for it.
alter table trail.entry drop constraint entry_operation_check;
do $$
declare
  v_partition regclass;
begin
  -- They were made like the table and have the constraint of their own, too.
  for v_partition in select inhrelid from pg_catalog.pg_inherits where inhparent = 'trail.entry'::regclass loop
    execute format('alter table %s drop constraint if exists entry_operation_check', v_partition);
  end loop;
end $$;
alter table trail.entry add constraint entry_operation_check check (operation in ('i', 'u', 'd', 't', 'b')) not valid;
alter table trail.entry add constraint entry_baseline_check check (operation <> 'b' or (previous is null and rung = 'b')) not valid;
comment on column trail.entry.operation is 'What the entry is of: i insert, u update, d delete, t truncate, b baseline (no change: a row that existed already).';
comment on column trail.entry.rung is 'How the modifier was found: m message, a witness (an audit row of the application), c column, s session, - nobody found, w Waltrail''s own, b baseline: nobody is said.';

-- Entries of a baseline refer to a row of their own that is nobody: no modifier has an empty key.
alter table trail.modifier drop constraint modifier_key_not_empty;
alter table trail.modifier add constraint modifier_key_not_empty check (key <> '' or (name = 'Not known' and kind = 'system')) not valid;

-- The time of a baseline is not that of a commit.
create or replace function trail.last_commit_before(p_lsn pg_lsn) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
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
       where id >= %s and id < %s and commit_lsn < %L and rung not in ('w', 'b') order by id desc limit 1 $q$,
      greatest(v_chunk::int8 << 14, v_first), (v_chunk::int8 + 1) << 14, p_lsn) into v_at;
    exit when v_at is not null;
  end loop;
  return v_at;
end $$;

create or replace view trail.readable as
select e.id,
       e.committed_at,
       case e.rung when 'w' then 'Waltrail' else m.name end as modified_by,
       case when e.rung <> 'b' then m.kind end as modifier_kind,
       case when e.rung <> 'b' then m.key end as modifier_key,
       case e.rung when 'm' then 'message' when 'a' then 'witness' when 'c' then 'column' when 's' then 'session' when 'w' then 'waltrail' when 'b' then 'baseline' else 'unattributed' end as rung,
       a.name as action,
       t.name as entity_type,
       e.entity_name,
       e.entity_id,
       n.name as tenant,
       trail.readable_values(e.previous, e.columns, r.columns) as previous,
       trail.readable_values(e.updated, e.columns, r.columns) as updated,
       r.schema_name || '.' || r.table_name as source_table,
       case e.operation when 'i' then 'insert' when 'u' then 'update' when 'd' then 'delete' when 'b' then 'baseline' else 'truncate' end as operation,
       e.xid,
       e.commit_lsn,
       e.seq,
       trail.context_of(e.extra, e.id) as context,
       trail.readable_extra(e.extra, 'origin') as origin,
       trail.readable_extra(e.extra, 'claimedCommitAt') as claimed_commit_at,
       e.previous_entity_id,
       e.previous_entity_name,
       e.previous_tenant_id is not null as changed_tenant,
       p.name as previous_tenant,
       i.name as acting_as,
       i.key as acting_as_key
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.modifier i on i.id = m.acting_as
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.tenant p on p.id = e.previous_tenant_id
  left join trail.relation r on r.id = e.relation_id;

-- ---------------------------------------------------------------- roles

-- Those of 0039 with the rights to what came here.
create or replace function trail.grant_roles() returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_role text;
  v_missing text[] := '{}';
  v_switch text := case when current_setting('server_version_num')::int4 >= 160000 then 'set' else 'member' end;
  v_grants jsonb := '{
    "waltrail_writer": [
      "usage on schema trail",
      "insert on trail.entry, trail.posting, trail.chunk",
      "select, insert on trail.modifier, trail.action, trail.entity_type, trail.tenant, trail.relation, trail.checkpoint",
      "select on trail.lookup",
      "select, insert on trail.lookup_table",
      "update (has_tenants) on trail.lookup_table",
      "insert on trail.context",
      "select on trail.secret, trail.day, trail.migration, trail.gap, trail.published, trail.stuck, trail.skip, trail.configuration, trail.names_read, trail.baseline",
      "execute on function trail.advance, trail.ensure_partitions, trail.open_gap, trail.end_gap, trail.close_gaps, trail.adopt_source, trail.record_tracking, trail.remember_published, trail.trim_chunks, trail.unindexed_entries",
      "execute on function trail.note_current",
      "execute on function trail.remember_stuck, trail.forget_stuck, trail.end_skip",
      "execute on function trail.adopt_configuration, trail.remember_names_read, trail.close_table_gap",
      "execute on function trail.begin_table_gaps, trail.tell_table_gap, trail.end_table_gap, trail.tell_untold_gap, trail.pass_table_gap, trail.published_until",
      "execute on function trail.store_names, trail.clear_names",
      "execute on function trail.remember_baseline, trail.forget_baselines"
    ],
    "waltrail_reader": [
      "usage on schema trail",
      "select on trail.entry, trail.modifier, trail.action, trail.entity_type, trail.tenant, trail.relation, trail.lookup, trail.checkpoint, trail.day, trail.posting, trail.chunk, trail.block, trail.block_value, trail.gap, trail.export, trail.access, trail.migration, trail.readable, trail.configuration, trail.lookup_table, trail.context",
      "select on trail.current_until, trail.retention_floor, trail.baseline",
      "execute on function trail.days, trail.readable_field, trail.readable_values, trail.readable_context, trail.readable_extra, trail.context_of"
    ],
    "waltrail_api": [
      "select (id, role) on trail.token",
      "insert (token_name, role, tenant, action, route, filters, status, address, delivered, refusals) on trail.access",
      "insert, update, delete on trail.export",
      "execute on function trail.token_principal, trail.note_token_use, trail.open_session, trail.session_principal, trail.close_session, trail.known_until"
    ],
    "waltrail_keeper": [
      "usage on schema trail",
      "select on trail.migration",
      "select on trail.reload, trail.retention_floor",
      "execute on function trail.ensure_partitions, trail.roll_up, trail.retain_days, trail.retain_access, trail.forget_dropped, trail.answer_reload"
    ]
  }';
begin
  foreach v_role in array array['waltrail_reader', 'waltrail_writer', 'waltrail_api', 'waltrail_keeper'] loop
    begin
      if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
        execute format('create role %I nologin', v_role);
      end if;
    exception
      when duplicate_object or unique_violation then null;   -- another trail of this cluster was quicker
      when insufficient_privilege then
        v_missing := v_missing || v_role;
        continue;
    end;
    execute (select string_agg(format('grant %s to %I;', privilege, v_role), ' ')
               from jsonb_array_elements_text(v_grants -> v_role) privilege);
    begin
      if v_role = 'waltrail_api' and not pg_catalog.pg_has_role(v_role, 'waltrail_reader', 'member') then
        grant waltrail_reader to waltrail_api;
      end if;
      -- From PostgreSQL 16 on, who creates a role may grant it but not yet switch to it.
      if not pg_catalog.pg_has_role(current_user, v_role, v_switch) then
        execute format('grant %I to current_user', v_role);
      end if;
    exception
      when unique_violation then null;
      when insufficient_privilege then v_missing := v_missing || v_role;
    end;
  end loop;
  return v_missing;
end $$;

do $$
declare
  v_missing text[] := trail.grant_roles();
begin
  if v_missing <> '{}' then
    raise notice 'the roles % are missing: Waltrail uses the rights of its login instead', array_to_string(v_missing, ', ');
  end if;
end $$;
