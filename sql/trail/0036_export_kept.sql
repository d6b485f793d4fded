-- What of an unfinished file is on disk for good, so that a run which was killed is continued instead of repeated.

alter table trail.export
  add column kept jsonb                                -- part (claim of the run that wrote it), bytes, belowId (the last entry in them), entries, firstLsn, lastLsn, version; null: nothing
  check (kept is null or state in ('queued', 'running'));
comment on column trail.export.kept is 'What of the unfinished file is durable: a later run continues behind it. Only csv and ndjson.';
comment on column trail.export.attempts is 'Runs begun since the file was last known to have grown.';
