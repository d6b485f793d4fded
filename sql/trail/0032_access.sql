-- What a use of the trail delivered, and how many refusals were not recorded one by one.

alter table trail.access
  add column delivered jsonb,                          -- of a live stream: entries, and the ids after and up to which; null: all that was asked for
  add column refusals int8 check (refusals > 0);       -- of an "unrecorded" row: how many it stands for

alter table trail.access drop constraint access_action_check;
alter table trail.access add constraint access_action_check
  check (action in ('sign_in', 'sign_out', 'read', 'watch', 'export', 'download', 'remove', 'refused', 'unrecorded'));
alter table trail.access add constraint access_refusals_counted
  check ((action = 'unrecorded') = (refusals is not null));
comment on table trail.access is 'Who signed in, read, exported, downloaded or was refused. Insert only; old rows go by trail.prune_access. A row "unrecorded" counts refusals beyond the limit of a minute.';
