-- Functions of the trail see PostgreSQL's own objects first and temporary ones last. An empty search_path does not do that: PostgreSQL
-- then looks into the caller's temporary schema before pg_catalog, where every login may make a type int8 with a check of
-- its own, which a function with its owner's rights (security definer) would execute with these rights.

do $$
declare
  v_function text;
begin
  for v_function in
    select p.oid::regprocedure
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname = 'trail'
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', v_function);
  end loop;
end $$;
