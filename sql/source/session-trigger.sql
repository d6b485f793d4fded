-- The function that says in the WAL who is connected while rows of a tracked table change, and which application user its settings
-- name. `waltrail apply` installs it where the YAML has `session:`, with names made of the publication's for the words after a
-- colon, and puts a trigger that calls it on each tracked table: before each statement, so that the message precedes the rows.
--
-- It runs inside every write of the application, so it can raise no error of its own: it converts nothing, reads settings as they
-- are printed, and asks before it emits. It has no exception block, which would cost a subtransaction a statement. It reads the
-- names of roles from settings: session_user fails where the role of a running session was dropped.
--
-- With the rights of its owner, so that it works for roles that may emit no logical messages. What it emits is what the session
-- says of itself, which whoever writes to the table may set anyway; so everybody may put it on tables of their own. Every name in
-- it has its schema, operators and types too: a search path of its own would be set and put back at each statement.
-- The message is the text of an array, so that it is compared as it is sent.

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
as $waltrail$
declare
  -- What differs in any of these is said again: publication, login, role, application, address, then settings by name.
  now_is constant pg_catalog.text := array[
    :publication,
    pg_catalog.current_setting('session_authorization'),
    pg_catalog.current_setting('role'),
    pg_catalog.current_setting('application_name'),
    pg_catalog.host(pg_catalog.inet_client_addr()):settings]::pg_catalog.text;
  -- Local to the transaction, and to the savepoint that a message is rolled back with.
  said constant pg_catalog.text := coalesce(pg_catalog.current_setting(:said, true), '');
begin
  if said operator(pg_catalog.=) now_is then return null; end if;
  -- pg_logical_emit_message with a text, by the number that it has in every release: to look its name up takes as long as to emit.
  if pg_catalog.has_function_privilege(3577::pg_catalog.oid, 'execute') is not true then return null; end if;
  if said operator(pg_catalog.<>) '' and pg_catalog.pg_trigger_depth() operator(pg_catalog.>) 1 then
    -- A trigger of the application has changed a setting, maybe for this statement alone: whether it counts for rows that the
    -- outer statement still changes, nobody says. The next statement of the application speaks for itself again.
    perform pg_catalog.pg_logical_emit_message(true, 'waltrail.session', 'within ' operator(pg_catalog.||) now_is),
      pg_catalog.set_config(:said, 'within', true);
  else
    perform pg_catalog.pg_logical_emit_message(true, 'waltrail.session', now_is), pg_catalog.set_config(:said, now_is, true);
  end if;
  return null;
end
$waltrail$;

alter function waltrail_source.:session() owner to current_user;
grant execute on function waltrail_source.:session() to public;
comment on function waltrail_source.:session() is :comment
