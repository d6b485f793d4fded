-- What the trail covers: since when it records, and until when everything that the source committed is stored. A page without
-- entries says "nothing was changed" only of what lies between the two.

alter table trail.checkpoint add column began_at timestamptz;
comment on column trail.checkpoint.began_at is 'When capture began: changes that were committed before are not in the trail.';
-- Of a trail of an earlier release, the first table that it described is the earliest that is known of it.
update trail.checkpoint set began_at = coalesce((select min(created_at) from trail.relation), updated_at);
alter table trail.checkpoint alter column began_at set default clock_timestamp();
alter table trail.checkpoint alter column began_at set not null;

create table trail.current_until (
  until    timestamptz not null,                 -- by the clock of the source: what was committed before is stored
  noted_at timestamptz not null default clock_timestamp()
);
create unique index current_until_one on trail.current_until ((true));
comment on table trail.current_until is 'Up to when the trail is current. Noted every few seconds while capture streams, whether or not anything is changed.';

create function trail.note_current(p_until timestamptz) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into trail.current_until values (p_until)
  on conflict ((true)) do update set until = excluded.until, noted_at = excluded.noted_at
$$;
comment on function trail.note_current is 'Notes up to when the trail is current.';
revoke execute on function trail.note_current from public;

create function trail.known_until() returns timestamptz
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select until from trail.current_until
$$;
-- With below_id, at the request: what was stored later is not in the file.
alter table trail.export add column current_until timestamptz;
alter table trail.export alter column current_until set default trail.known_until();
comment on column trail.export.current_until is 'Up to when the trail was current when the export was requested; null: that was not known.';

-- The rights to both, added to the list that trail.grant_roles has.
do $$
declare
  v_missing text[];
begin
  execute replace(replace(pg_get_functiondef('trail.grant_roles()'::regprocedure),
    '"execute on function trail.remember_stuck', '"execute on function trail.note_current",
      "execute on function trail.remember_stuck'),
    '"execute on function trail.days', '"select on trail.current_until",
      "execute on function trail.days');
  v_missing := trail.grant_roles();
  if v_missing <> '{}' then
    raise notice 'the roles % are missing: Waltrail uses the rights of its login instead', array_to_string(v_missing, ', ');
  end if;
end $$;
