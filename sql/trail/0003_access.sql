-- Who may read the trail, and who did: tokens of the API, sessions of the page, and the record of their use.

create table trail.token (
  id           uuid primary key default gen_random_uuid(),
  name         text not null check (name <> ''),  -- who holds it; shown in the access record, need not be unique
  sha256       bytea not null unique,             -- of the secret, which is 256 random bits and is kept nowhere
  role         text not null,                     -- what it may do; each role may do what the ones before it may
  tenant       text,                              -- sees this tenant only; null: all
  single_use   boolean not null default false,    -- a sign-in code: opens one session, is no API token
  created_at   timestamptz not null default clock_timestamp(),
  expires_at   timestamptz,                       -- null: never
  revoked_at   timestamptz,
  last_used_at timestamptz,                       -- to the minute; of a sign-in code: when it was spent
  check (length(sha256) = 32),
  check (role in ('viewer', 'exporter', 'admin'))
);
create index token_name on trail.token (name);
comment on table trail.token is 'API tokens and one-time sign-in codes. Rows are revoked, not deleted: the access record names them.';

create table trail.session (
  sha256     bytea primary key,                   -- of the cookie's 256 random bits
  token_id   uuid not null references trail.token (id),   -- gives name, role and tenant; revoking it ends the session
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  check (length(sha256) = 32)
);
create index session_token on trail.session (token_id);
create index session_expires on trail.session (expires_at);
comment on table trail.session is 'Signed-in browsers. A row is deleted when its owner signs out or it expires.';

create table trail.access (
  at         timestamptz not null default clock_timestamp(),
  token_name text,                                -- null: nobody had been recognised
  role       text,
  tenant     text,                                -- the tenant the token is confined to
  action     text not null,
  route      text not null,                       -- method and pattern, as "GET /v1/entries/:id"
  filters    jsonb,                               -- what was asked for: names and values of the request, never a token
  status     int2 not null,                       -- of the HTTP answer
  address    text not null,                       -- of the peer
  check (action in ('sign_in', 'sign_out', 'read', 'watch', 'export', 'download', 'remove', 'refused'))
);
create index access_at on trail.access using brin (at);
comment on table trail.access is 'Who signed in, read, exported, downloaded or was refused. Insert only; old rows go by trail.prune_access.';

create function trail.prune_access(p_before timestamptz) returns int8
language plpgsql security definer set search_path = '' as $$
declare
  v_deleted int8;
begin
  if p_before > clock_timestamp() - interval '1 day' then
    raise exception 'the last day of the access record is never pruned' using errcode = 'WT003';
  end if;
  delete from trail.access where at < p_before;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end $$;
comment on function trail.prune_access is 'Deletes the access record before an instant: the only way to delete from it, and never its last day.';

-- Grants are in 0006_roles.sql. What the role of the API (tokens, sessions, access record; waltrail_api) needs:
--   trail.token    select, insert, update (revoked_at, last_used_at)
--   trail.session  select, insert, delete
--   trail.access   insert
--   trail.prune_access(timestamptz)  execute, revoked from public
-- The reader of entries and the writer of entries need none of these tables.
