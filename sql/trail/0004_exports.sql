-- Exports: the row is the truth about an export, the queue only wakes a worker (DESIGN, "The way of one export").
-- Roles (0005): the api and the export worker need select, insert, update and delete here, and the worker select on the trail.
-- The queue's own tables live in the schema "bullmq" of this database, or in Redis; they may be dropped at any time.

create table trail.export (
  id              uuid primary key,                -- also the id of the job in the queue and the stem of the file's name on disk
  state           text not null default 'queued'
                  check (state in ('queued', 'running', 'ready', 'failed', 'cancelled', 'expired')),
  format          text not null check (format in ('xlsx', 'csv', 'ndjson')),
  filters         jsonb not null,                  -- as asked, by the names of GET /v1/entries, without from and to
  range_from      timestamptz not null,
  range_to        timestamptz not null,            -- half-open, by commit time
  timezone        text not null,                   -- IANA name; dates in the file are in it
  tenant          text,                            -- of the requester's token: all the file may hold; null: every tenant

  requested_by    text not null,                   -- name of the token, as of the request
  token_id        uuid not null,
  idempotency_key text,
  request_sha256  bytea not null,                  -- of the request, so that a key that is used again for another request is refused

  below_id        int8 not null,                   -- frozen at the request: the file holds entries below this id only
  trail_lsn       pg_lsn not null,                 -- frozen with it: the checkpoint's end_lsn
  claim           uuid,                            -- of the run that may write; a later run takes it over and the earlier one stops
  attempts        int4 not null default 0,         -- runs begun
  done            int8 not null default 0,
  total           int8,                            -- null until counted
  first_lsn       pg_lsn,                          -- least and greatest commit LSN in the file; null without entries
  last_lsn        pg_lsn,

  gaps            int4,                            -- that overlap the range, as the file says; null until it is ready

  file_name       text,                            -- as offered for download
  file_bytes      int8,
  file_sha256     text check (file_sha256 ~ '^[0-9a-f]{64}$'),
  error           jsonb,                           -- problem document (RFC 9457)

  created_at      timestamptz not null default clock_timestamp(),
  started_at      timestamptz,                     -- of the last run
  finished_at     timestamptz,
  expires_at      timestamptz,                     -- the file is deleted then

  check (range_to > range_from),
  check ((state in ('queued', 'running')) = (finished_at is null)),
  check ((state = 'running') = (claim is not null)),
  check ((state = 'failed') = (error is not null)),
  check (state not in ('ready', 'expired') or (file_name, file_bytes, file_sha256, expires_at) is not null)
);
comment on table trail.export is 'Requested exports and their files. Deleting a row deletes the export.';

create unique index export_idempotency on trail.export (token_id, idempotency_key) where idempotency_key is not null;
create index export_newest on trail.export (created_at desc, id);
create index export_unfinished on trail.export (created_at) where state in ('queued', 'running');
create index export_expiry on trail.export (expires_at) where state = 'ready';
