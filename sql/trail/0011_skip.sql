-- What capture waits on when an error repeats at one place of the WAL, and the last resort: an operator lets it pass over the
-- one transaction that cannot be stored (waltrail skip). What is passed over is a gap (0005), closed at once.

create table trail.stuck (
  code           text not null,                  -- of src/errors.ts
  sql_state      text,                           -- of the server that refuses; null: it was no server
  message        text not null,                  -- as status and log have it: no value of a row
  checkpoint_lsn pg_lsn not null,                -- capture waits as long as the checkpoint is here
  commit_lsn     pg_lsn,                         -- of the transaction; null: it is not known which one
  tables         text[],                         -- which tables it changes, as far as it was read; null: not known
  since          timestamptz not null default clock_timestamp()
);
create unique index stuck_one on trail.stuck ((true));
comment on table trail.stuck is 'The error that capture waits on. Holds only while the checkpoint is at checkpoint_lsn.';

create table trail.skip (
  id             int4 primary key generated always as identity,
  at_lsn         pg_lsn not null,                -- commit LSN of the transaction
  checkpoint_lsn pg_lsn not null,                -- where capture waited
  reason         text not null check (reason <> ''),
  asked_by       text not null,                  -- account of the operating system, and login at the trail
  asked_at       timestamptz not null default clock_timestamp(),
  gap_id         int4,                           -- the gap that it left
  done_at        timestamptz                     -- null: not honoured yet
);
create unique index skip_one on trail.skip ((true)) where done_at is null;
comment on table trail.skip is 'Transactions that an operator let capture pass over. Honoured only while it waits on exactly that one.';

create function trail.remember_stuck(
  p_code text, p_sql_state text, p_message text, p_checkpoint_lsn pg_lsn, p_commit_lsn pg_lsn, p_tables text[]
) returns void
language sql security definer set search_path = '' as $$
  insert into trail.stuck (code, sql_state, message, checkpoint_lsn, commit_lsn, tables)
  values (p_code, p_sql_state, p_message, p_checkpoint_lsn, p_commit_lsn, p_tables)
  on conflict ((true)) do update
    set code = excluded.code, sql_state = excluded.sql_state, message = excluded.message,
        checkpoint_lsn = excluded.checkpoint_lsn, commit_lsn = excluded.commit_lsn, tables = excluded.tables,
        since = case when stuck.checkpoint_lsn = excluded.checkpoint_lsn then stuck.since else excluded.since end
$$;
comment on function trail.remember_stuck is 'Says what capture waits on.';

create function trail.forget_stuck() returns void
language sql security definer set search_path = '' as $$
  delete from trail.stuck using trail.checkpoint c where stuck.checkpoint_lsn <> c.end_lsn;
  delete from trail.skip using trail.checkpoint c where skip.done_at is null and skip.checkpoint_lsn <> c.end_lsn;
$$;
comment on function trail.forget_stuck is 'Capture has moved on: what it waited on is over, and so is the wish to pass over it.';

create function trail.ask_skip(p_at_lsn pg_lsn, p_reason text, p_account text) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_stuck trail.stuck;
begin
  perform trail.forget_stuck();
  select * into v_stuck from trail.stuck;
  if not found then
    return 'not waiting';
  elsif v_stuck.commit_lsn is null then
    return 'place unknown';
  elsif v_stuck.commit_lsn <> p_at_lsn then
    return 'another place';
  end if;
  insert into trail.skip (at_lsn, checkpoint_lsn, reason, asked_by)
  values (p_at_lsn, v_stuck.checkpoint_lsn, p_reason, coalesce(p_account || ', ', '') || session_user)
  on conflict ((true)) where done_at is null do nothing;
  return case when found then 'asked' else 'asked before' end;
end $$;
comment on function trail.ask_skip is 'Lets capture pass over the transaction that it waits on. For an operator (waltrail skip).';

create function trail.end_skip(p_skip int4, p_gap int4) returns void
language sql security definer set search_path = '' as $$
  update trail.skip set gap_id = p_gap, done_at = clock_timestamp() where id = p_skip and done_at is null
$$;
comment on function trail.end_skip is 'The transaction was passed over, in the transaction that moves the checkpoint and closes its gap.';

revoke execute on function trail.remember_stuck, trail.forget_stuck, trail.ask_skip, trail.end_skip from public;
