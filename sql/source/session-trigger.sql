-- A function that reports in the WAL who is connected while rows of a tracked table change, and which application user the
-- settings of the session name. `waltrail apply` installs it if the YAML has `session:`. It replaces the words after a colon by
-- names that begin with the name of the publication. It also creates a trigger on each tracked table that calls the function
-- before each statement, so that the message precedes the rows.
--
-- It runs inside every write of the application, so it must not raise an error. It converts nothing, reads settings as text, and
-- checks its right before it emits. It has no exception block, which would cost one subtransaction per statement. It reads the
-- names of roles from settings, because session_user fails if the role of a running session was dropped.
--
-- It runs with the rights of its owner, so that it works for roles that may not emit logical messages. It emits only what the
-- session states about itself, which any role that writes to the table may set anyway. Therefore every role may use it on its own
-- tables. Every name in it has a schema, also operators and types: a search path of the function would be set and restored at
-- each statement. The message is the text of an array, so that it can be compared in the form in which it is sent.

create schema if not exists waltrail_source;
-- If another role had created the schema before, that role could replace the function.
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
  -- A message is sent again if any of these differs: publication, login, role, application, address, then settings by name.
  now_is constant pg_catalog.text := array[
    :publication,
    pg_catalog.current_setting('session_authorization'),
    pg_catalog.current_setting('role'),
    pg_catalog.current_setting('application_name'),
    pg_catalog.host(pg_catalog.inet_client_addr()):settings]::pg_catalog.text;
  -- The setting is local to the transaction, and is rolled back to a savepoint together with the message.
  said constant pg_catalog.text := coalesce(pg_catalog.current_setting(:said, true), '');
begin
  if said operator(pg_catalog.=) now_is then return null; end if;
  -- 3577 is pg_logical_emit_message with a text, in every release. Looking up its name would take as long as emitting.
  if pg_catalog.has_function_privilege(3577::pg_catalog.oid, 'execute') is not true then return null; end if;
  if said operator(pg_catalog.<>) '' and pg_catalog.pg_trigger_depth() operator(pg_catalog.>) 1 then
    -- A trigger of the application has changed a setting, perhaps for this statement only. It is unknown whether the new value
    -- also applies to rows that the outer statement has yet to change. The next statement of the application sends a message of
    -- its own.
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
