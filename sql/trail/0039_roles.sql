-- The rights of the roles (0030) with those to what came since, and without those that functions of 0038 stand for.

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
      "select on trail.secret, trail.day, trail.migration, trail.gap, trail.published, trail.stuck, trail.skip, trail.configuration, trail.names_read",
      "execute on function trail.advance, trail.ensure_partitions, trail.open_gap, trail.end_gap, trail.close_gaps, trail.adopt_source, trail.record_tracking, trail.remember_published, trail.trim_chunks, trail.unindexed_entries",
      "execute on function trail.note_current",
      "execute on function trail.remember_stuck, trail.forget_stuck, trail.end_skip",
      "execute on function trail.adopt_configuration, trail.remember_names_read, trail.close_table_gap",
      "execute on function trail.begin_table_gaps, trail.tell_table_gap, trail.end_table_gap, trail.tell_untold_gap, trail.pass_table_gap, trail.published_until",
      "execute on function trail.store_names, trail.clear_names"
    ],
    "waltrail_reader": [
      "usage on schema trail",
      "select on trail.entry, trail.modifier, trail.action, trail.entity_type, trail.tenant, trail.relation, trail.lookup, trail.checkpoint, trail.day, trail.posting, trail.chunk, trail.block, trail.block_value, trail.gap, trail.export, trail.access, trail.migration, trail.readable, trail.configuration, trail.lookup_table, trail.context",
      "select on trail.current_until, trail.retention_floor",
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
  v_missing text[];
begin
  if exists (select from pg_catalog.pg_roles where rolname = 'waltrail_writer') then
    revoke insert on trail.lookup from waltrail_writer;
    revoke update (name, kind, tenant) on trail.lookup from waltrail_writer;
  end if;
  if exists (select from pg_catalog.pg_roles where rolname = 'waltrail_api') then
    revoke select, insert on trail.token from waltrail_api;
    revoke update (revoked_at, last_used_at) on trail.token from waltrail_api;
    revoke select, insert, delete on trail.session from waltrail_api;
    revoke insert on trail.access from waltrail_api;
  end if;
  v_missing := trail.grant_roles();
  if v_missing <> '{}' then
    raise notice 'the roles % are missing: Waltrail uses the rights of its login instead', array_to_string(v_missing, ', ');
  end if;
end $$;
