-- The usual way without Waltrail: a trigger for each row writes old and new as jsonb, in the application's transaction.

create table bench.audit (
  id         int8 generated always as identity primary key,
  at         timestamptz not null default clock_timestamp(),
  table_name text not null,
  operation  text not null,
  row_id     text,
  changed_by text,
  previous   jsonb,
  updated    jsonb
);
create index on bench.audit (changed_by, at);
create index on bench.audit (operation, at);
create index on bench.audit (table_name, row_id, at);

create function bench.audit() returns trigger language plpgsql as $$
declare
  v_previous jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_updated  jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
  insert into bench.audit (table_name, operation, row_id, changed_by, previous, updated)
  values (tg_table_name, tg_op, coalesce(v_updated, v_previous) ->> 'id', v_updated ->> 'updated_by', v_previous, v_updated);
  return null;
end $$;

create trigger audit after insert or update or delete on public.customers     for each row execute function bench.audit();
create trigger audit after insert or update or delete on public.conversations for each row execute function bench.audit();
