-- What a role of the trail may not do although its work looks like it: the keeper drops no days younger than a floor, the API makes
-- no token, forges no time in the access record and removes nothing from it, the writer gives no other name to the past
-- (src/DECISIONS.md, 81). What a role loses here it gets back as functions; 0039 grants them.

-- ---------------------------------------------------------------- retention

create table trail.retention_floor (
  days int4 not null check (days >= 1)           -- entries and the access record are kept at least as long, whatever the YAML says
);
create unique index retention_floor_one on trail.retention_floor ((true));
comment on table trail.retention_floor is 'The shortest retention that is carried out. Changed by the owner only: update trail.retention_floor set days = 90.';

-- A trail whose retention was shorter goes on with it: it is read from what has been dropped.
insert into trail.retention_floor
select greatest(1, least(30, (select min((dropped_at at time zone 'utc')::date - (date '2026-01-01' + day) - 1) from trail.day)));

create or replace function trail.retain_days(p_days int4) returns int4
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_floor int4 := (select days from trail.retention_floor);
begin
  if p_days is null or p_days < 1 then
    raise exception 'the retention is at least one day, not %', p_days using errcode = '22023';
  end if;
  -- Without a floor nothing is dropped: somebody has removed it.
  if (p_days >= v_floor) is not true then
    raise exception 'a retention of % days is below the floor of % days in trail.retention_floor', p_days, v_floor
      using errcode = 'WT004';
  end if;
  -- Never the day that the writer is in, even when the clock says it is long gone.
  return trail.drop_before(least(trail.today() - p_days, (select (next_id >> 32)::int4 from trail.checkpoint)));
end $$;
comment on function trail.retain_days is 'Retention: keeps entries for p_days whole days after the day on which they were stored; WT004 below trail.retention_floor. The only way to remove entries but for the owner.';

drop function trail.prune_access;
create function trail.retain_access(p_days int4) returns int8
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_floor int4 := (select days from trail.retention_floor);
  v_deleted int8;
begin
  if (p_days >= v_floor) is not true then
    raise exception 'a retention of % days is below the floor of % days in trail.retention_floor', p_days, v_floor
      using errcode = 'WT004';
  end if;
  delete from trail.access where at < clock_timestamp() - make_interval(days => greatest(p_days, 2));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
comment on function trail.retain_access is 'Keeps the access record for p_days, for two at least; WT004 below trail.retention_floor. The only way to remove rows of it but for the owner.';
comment on table trail.access is 'Who signed in, read, exported, downloaded or was refused. Insert only, at the present time; old rows go by trail.retain_access. A row "unrecorded" counts refusals beyond the limit of a minute.';

-- ---------------------------------------------------------------- tokens and sessions

-- What is stored of a secret is the hash of its proof, which is the SHA-256 of the secret. The functions below take the proof: who can
-- read the tables cannot make one, and a server that logs the parameters of statements writes nothing that opens the API.
update trail.token set sha256 = sha256(sha256);
update trail.session set sha256 = sha256(sha256);
comment on column trail.token.sha256 is 'SHA-256 of the proof, which is the SHA-256 of the secret: 256 random bits that are kept nowhere.';
comment on column trail.session.sha256 is 'SHA-256 of the proof, which is the SHA-256 of the cookie''s 256 random bits.';

alter table trail.session
  add column used_at timestamptz not null default clock_timestamp(),
  add column idle interval not null default interval '8 hours' check (idle > interval '0');
comment on column trail.session.used_at is 'Last request of the browser, to the minute.';
comment on column trail.session.idle is 'The session ends when it is not used for so long.';
alter table trail.session alter column idle drop default;

create function trail.token_principal(p_proof bytea) returns table (token_id uuid, name text, role text, tenant text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.id, t.name, t.role, t.tenant from trail.token t
   where t.sha256 = sha256(p_proof) and not t.single_use and t.revoked_at is null
     and (t.expires_at is null or t.expires_at > clock_timestamp())
$$;
comment on function trail.token_principal is 'Who holds an API token, by its proof; nobody where it is unknown, revoked, expired or a sign-in code.';

create function trail.note_token_use(p_proof bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update trail.token set last_used_at = clock_timestamp()
   where sha256 = sha256(p_proof) and not single_use
     and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')
$$;
comment on function trail.note_token_use is 'Notes that an API token was used, at most once a minute.';

create function trail.open_session(p_token bytea, p_session bytea, p_idle interval) returns table (
  token_id uuid, name text, role text, tenant text, expires_at timestamptz
)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_token trail.token;
begin
  if (length(p_session) = 32) is not true then
    raise exception 'the proof of a session is a SHA-256' using errcode = '22023';
  end if;
  delete from trail.session s where s.expires_at < clock_timestamp() or s.used_at + s.idle < clock_timestamp();
  -- The lock of the row lets only one of two browsers in that bring the same code.
  update trail.token t set last_used_at = clock_timestamp()
   where t.sha256 = sha256(p_token) and t.revoked_at is null
     and (t.expires_at is null or t.expires_at > clock_timestamp())
     and (not t.single_use or t.last_used_at is null)
  returning t.* into v_token;
  if not found then
    return;
  end if;
  -- A session never outlives its API token. It does outlive a sign-in code, which is valid for minutes only.
  return query
    insert into trail.session as s (sha256, token_id, expires_at, idle)
    values (sha256(p_session), v_token.id,
            least(clock_timestamp() + interval '12 hours', case when not v_token.single_use then v_token.expires_at end), p_idle)
    returning v_token.id, v_token.name, v_token.role, v_token.tenant, s.expires_at;
end $$;
comment on function trail.open_session is 'Opens a session for whoever brings the proof of an API token or of a sign-in code, which is spent by it; no row where it is not valid.';

create function trail.session_principal(p_session bytea, p_by_person boolean) returns table (token_id uuid, name text, role text, tenant text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select t.id, t.name, t.role, t.tenant
      from trail.session s join trail.token t on t.id = s.token_id
     where s.sha256 = sha256(p_session) and t.revoked_at is null
       and s.expires_at > clock_timestamp() and s.used_at + s.idle > clock_timestamp();
  if found and p_by_person then
    update trail.session set used_at = clock_timestamp()
     where sha256 = sha256(p_session) and used_at < clock_timestamp() - interval '1 minute';
  end if;
end $$;
comment on function trail.session_principal is 'Who is signed in, by the proof of the session; nobody where it has ended. A request that no person has made does not keep it from ending.';

create function trail.close_session(p_session bytea) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from trail.session where sha256 = sha256(p_session)
$$;
comment on function trail.close_session is 'Ends a session, by its proof.';

-- ---------------------------------------------------------------- names

-- A name holds from an entry on, until the next one of its key. Both functions take only what begins with entries that are not stored
-- yet. They lock the checkpoint, so that a transaction that has waited, or sees an old snapshot, does not reach back.

create function trail.store_names(
  p_tables text[], p_keys text[], p_from_ids int8[], p_names text[], p_kinds text[], p_tenants text[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_next_id int8;
begin
  select next_id into v_next_id from trail.checkpoint for update;
  if v_next_id > any (p_from_ids) then
    raise exception 'names of stored entries do not change: they hold from entry % on', v_next_id using errcode = 'WT005';
  end if;
  insert into trail.lookup (table_name, key, from_id, name, kind, tenant)
  select * from unnest(p_tables, p_keys, p_from_ids, p_names, p_kinds, p_tenants)
  on conflict (table_name, key, from_id) do update set name = excluded.name, kind = excluded.kind, tenant = excluded.tenant;
end $$;
comment on function trail.store_names is 'Stores names as of entries that are still to come; WT005 for those that are stored.';

create function trail.clear_names(p_table text, p_from_id int8) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_next_id int8;
begin
  select next_id into v_next_id from trail.checkpoint for update;
  if v_next_id > p_from_id then
    raise exception 'names of stored entries do not change: they hold from entry % on', v_next_id using errcode = 'WT005';
  end if;
  insert into trail.lookup (table_name, key, from_id)
  select distinct table_name, key, p_from_id from trail.lookup where table_name = p_table
  on conflict (table_name, key, from_id) do update set name = null, kind = null, tenant = null;
end $$;
comment on function trail.clear_names is 'The rows of a lookup table are gone, from an entry on that is still to come.';

revoke execute on function trail.retain_access, trail.token_principal, trail.note_token_use, trail.open_session, trail.session_principal,
  trail.close_session, trail.store_names, trail.clear_names, trail.known_until from public;
