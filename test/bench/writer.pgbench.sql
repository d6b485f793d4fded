-- A transaction of the closed loop: three updates of two tracked tables, each a round trip.
\set customer random(1, 40000)
\set conversation random(1, 10000)
\set other random(40001, 50000)
\set agent random(1, 1000)
\set n random(1, 100)
begin;
update public.customers set status = 's' || :n, balance = balance + :n, updated_by = :agent, updated_at = clock_timestamp() where id = :customer;
update public.conversations set unread = unread + 1, state = 'open' || :n, updated_by = :agent, updated_at = clock_timestamp() where id = :conversation;
update public.customers set notes = 'note ' || :n, updated_by = :agent, updated_at = clock_timestamp() where id = :other;
end;
