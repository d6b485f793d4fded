-- The configurations by which entries were made: what the YAML said of tracking, without URLs, and from which entry on. The last one
-- is that of the checkpoint. And which lookup tables were read for it, so that names are filled in for rows that are older than the
-- rule which asks for them.

create table trail.configuration (
  id         int4 primary key generated always as identity,
  digest     text not null,                      -- of the document (src/tracking/configuration.ts)
  document   text not null,                      -- JSON in the order of the file: tables, modifiers, redact, exclude
  from_id    int8 not null,                      -- the first entry that was made by it, or would be
  from_lsn   pg_lsn not null,                    -- transactions that end behind this position
  adopted_at timestamptz not null default clock_timestamp()
);
comment on table trail.configuration is 'The configurations of tracking that were in effect, each until the next. Insert only.';

create table trail.names_read (
  table_name text primary key,                   -- lookup table
  rule       text not null,                      -- by which rule its rows were read whole (key, name, kind, tenant), as JSON
  read_at    timestamptz not null default clock_timestamp()
);
comment on table trail.names_read is 'Lookup tables whose rows were read since their rule came; those of other rules are read at the next start.';

create function trail.adopt_configuration(
  p_digest text, p_document text, p_lsn pg_lsn, p_how text, p_asked_by text, p_previous text, p_updated text
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_checkpoint trail.checkpoint;
begin
  select * into strict v_checkpoint from trail.checkpoint for update;
  insert into trail.configuration (digest, document, from_id, from_lsn)
  values (p_digest, p_document, v_checkpoint.next_id, p_lsn);
  if p_previous is not null then
    perform trail.write_event('configuration', 'configuration', 'Configuration', null, array['definition', 'how', 'asked_by'],
      array[p_previous, null, null], array[p_updated, p_how, p_asked_by], p_lsn,
      -2000000000 + (v_checkpoint.entries % 1000000000)::int4);
  end if;
end $$;
comment on function trail.adopt_configuration is 'From the checkpoint on, entries are made by another configuration. The entry shows the parts that differ; the first one has none.';

create function trail.remember_names_read(p_wanted text[], p_tables text[], p_rules text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  -- What no rule asks for is followed no more: should a rule come back, the names have to be read again.
  delete from trail.names_read where table_name <> all (p_wanted);
  insert into trail.names_read (table_name, rule)
  select name, rule from unnest(p_tables, p_rules) as read (name, rule)
  on conflict (table_name) do update set rule = excluded.rule, read_at = clock_timestamp()
$$;
comment on function trail.remember_names_read is 'All names of these lookup tables were read, by these rules; of those that are wanted no more it forgets it.';

-- ---------------------------------------------------------------- asking the daemons to read their file again

create table trail.reload (
  id       int4 primary key generated always as identity,
  asked_by text not null,                        -- account of the operating system, and login at the trail
  asked_at timestamptz not null default clock_timestamp()
);
comment on table trail.reload is 'Requests of waltrail reload, for a day.';

create table trail.reload_answer (
  reload_id int4 not null references trail.reload on delete cascade,
  process   text not null,                       -- host and process id of a daemon
  captures  boolean not null,                    -- whether it has the role capture
  digest    text,                                -- of the configuration in its file; null: the file is refused
  outcome   text not null,                       -- what became of it, as a sentence: no value of a row, no secret
  primary key (reload_id, process)
);
comment on table trail.reload_answer is 'What each daemon has made of a request to read its file again.';

create function trail.ask_reload(p_account text) returns int4
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from trail.reload where asked_at < clock_timestamp() - interval '1 day';
  insert into trail.reload (asked_by) values (coalesce(p_account || ', ', '') || session_user) returning id
$$;
comment on function trail.ask_reload is 'Asks every daemon of this trail to read its file again. For an operator (waltrail reload).';

create function trail.answer_reload(p_reload int4, p_process text, p_captures boolean, p_digest text, p_outcome text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into trail.reload_answer (reload_id, process, captures, digest, outcome)
  select id, p_process, p_captures, p_digest, p_outcome from trail.reload where id = p_reload
  on conflict (reload_id, process) do nothing
$$;
comment on function trail.answer_reload is 'What a daemon has made of a request to read its file again.';

revoke execute on function trail.adopt_configuration, trail.remember_names_read, trail.ask_reload, trail.answer_reload from public;

-- ---------------------------------------------------------------- gaps of tables that end while there is no writer

create function trail.close_table_gap(p_gap int4, p_name text, p_to_lsn pg_lsn) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_gap trail.gap;
begin
  perform from trail.checkpoint for update;
  update trail.gap set closed_at = clock_timestamp(), to_lsn = greatest(from_lsn, p_to_lsn)
   where id = p_gap and tables is not null and closed_at is null and entry_id <> 0
  returning * into v_gap;
  if found then
    perform trail.write_gap_event(v_gap, 'gap_closed', p_name);
  end if;
end $$;
comment on function trail.close_table_gap is 'A gap of named tables has ended, and says so by an entry; for when nobody writes, so that a daemon which is killed again and again ends it too.';

revoke execute on function trail.close_table_gap from public;
