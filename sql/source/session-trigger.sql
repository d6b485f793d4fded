-- The function that says in the WAL who is connected while rows of a tracked table change, and which application user its settings
-- name. `waltrail apply` installs it where the YAML has `session:`, with names made of the publication's for the words after a
-- colon, and puts a trigger that calls it on each tracked table: before each statement, so that the message precedes the rows.
--
-- It runs inside every write of the application, so it can raise no error of its own: it converts nothing, reads settings as they
-- are printed, and asks before it emits. It has no exception block, which would cost a subtransaction a statement. It reads the
-- names of roles from settings: session_user fails where the role of a running session was dropped.
--
-- With the rights of its owner, so that it works for roles that may emit no logical messages. What it emits is what the session
-- says of itself, which whoever writes to the table may set anyway; so everybody may put it on tables of their own.

create schema if not exists waltrail_source;
-- Made by somebody else before, it would let them replace what runs here.
do $$ begin
  if not exists (
    select from pg_catalog.pg_namespace n join pg_catalog.pg_roles r on r.oid = n.nspowner
     where n.nspname = 'waltrail_source' and (r.rolsuper or r.rolname = current_user))
  then alter schema waltrail_source owner to current_user; end if;
end $$;
grant usage on schema waltrail_source to public;

create or replace function waltrail_source.:session() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $waltrail$
declare
  settings constant text[] := :settings;
  -- As text: what differs in any of these is said again.
  now_is constant text := array[
    current_setting('session_authorization'), current_setting('role'), current_setting('application_name'), settings::text]::text;
  -- Local to the transaction, and to the savepoint that a message is rolled back with.
  said constant text := coalesce(current_setting(:said, true), '');
  within boolean;
begin
  if said = now_is then return null; end if;
  if has_function_privilege(
    coalesce(
      to_regprocedure('pg_logical_emit_message(boolean, text, text, boolean)'),
      to_regprocedure('pg_logical_emit_message(boolean, text, text)'))::oid,
    'execute') is not true
  then return null; end if;
  -- A trigger of the application has changed a setting, maybe for this statement alone: whether it counts for rows that the outer
  -- statement still changes, nobody says. The next statement of the application speaks for itself again.
  within := said <> '' and pg_trigger_depth() > 1;
  perform pg_logical_emit_message(true, 'waltrail.session', json_build_object(
    'for', :publication,
    'within', within,
    'user', current_setting('session_authorization'),
    'role', nullif(current_setting('role'), 'none'),
    'application', nullif(current_setting('application_name'), ''),
    'address', host(inet_client_addr()),
    'settings', json_object(:names, settings))::text);
  perform set_config(:said, case when within then 'within' else now_is end, true);
  return null;
end
$waltrail$;

alter function waltrail_source.:session() owner to current_user;
grant execute on function waltrail_source.:session() to public;
comment on function waltrail_source.:session() is :comment
