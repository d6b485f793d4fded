-- A reader is blinded by nothing that is stored. Bytes that are no text, halves of surrogate pairs in a context and commit times of
-- infinity could be written by releases before this one, and then stopped every query, page or start that met them
-- (src/DECISIONS.md, 38).

-- ---------------------------------------------------------------- commit times

create or replace function trail.unindexed_entries(p_above int8, p_limit int4) returns table (
  id int8, committed_at int8, modifier_id int4, entity_type_id int2, action_id int2, tenant_id int4, entity_hash int4
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select e.id,
         -- Infinity is the greatest number there is, as in the binary form of a timestamptz.
         case when e.committed_at = 'infinity' then 9223372036854775807
              when e.committed_at = '-infinity' then -9223372036854775808
              else ((extract(epoch from e.committed_at) - 946684800) * 1000000)::int8 end,
         e.modifier_id, e.entity_type_id, e.action_id, e.tenant_id, trail.entity_hash(e.entity_id)
    from trail.entry e
   where e.id > p_above and e.id >= (select coalesce(max(chunk) + 1, 0)::int8 << 14 from trail.chunk)
   order by e.id limit p_limit
$$;

-- The last one that every reader takes: a year of four digits.
update trail.checkpoint
   set last_committed_at = (
         select e.committed_at from trail.entry e
          where e.committed_at >= timestamptz '0001-01-01 00:00:00+00' and e.committed_at < timestamptz '10000-01-01 00:00:00+00'
          order by e.id desc limit 1)
 where last_committed_at < timestamptz '0001-01-01 00:00:00+00' or last_committed_at >= timestamptz '10000-01-01 00:00:00+00';

-- ---------------------------------------------------------------- the trail in words

create or replace function trail.readable_field(p_field text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  -- The encoding of src/trail/values.ts: ESC N is null, ESC U was not sent, ESC X is hexadecimal, ESC L was too large to be
  -- stored, ESC [ and ESC _ are the bytes 0x1B and 0x1F.
  select case
    when p_field = e'\x1bN' then null
    when left(p_field, 2) = e'\x1bX' then '\x{' || substr(p_field, 3) || '}'
    when left(p_field, 2) = e'\x1bL'
      then '(too large to be stored: ' || split_part(substr(p_field, 3), ' ', 1) || ' bytes, SHA-256 ' || split_part(p_field, ' ', 2) || ')'
    else replace(replace(p_field, e'\x1b_', e'\x1f'), e'\x1b[', e'\x1b')
  end
$$;

create or replace function trail.readable_values(p_stored text, p_columns text, p_relation jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select coalesce(jsonb_object_agg(coalesce(p_relation -> place ->> 'name', 'column ' || place + 1), trail.readable_field(field))
                      filter (where field <> e'\x1bU'), '{}')
      from (
        select field,
               case when p_columns is null then (number - 1)::int4 else ascii(substr(p_columns, number::int4, 1)) - 33 end as place
          from string_to_table(p_stored, e'\x1f') with ordinality as f (field, number)
         -- Every field is followed by a separator, so what stands behind the last one is no field.
         where number <= length(p_stored) - length(replace(p_stored, e'\x1f', ''))
      ) fields
     having p_stored is not null);
exception
  -- jsonb ends at 256 MB.
  when others then
    return jsonb_build_object('(unreadable)', sqlerrm);
end $$;

create function trail.readable_context(p_extra text) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return p_extra::json -> 'context';
exception
  when others then
    return json_build_object('(unreadable)', p_extra);
end $$;
comment on function trail.readable_context is 'The context in what is stored beside an entry''s values; what is no json to PostgreSQL is shown as its text.';

create function trail.readable_extra(p_extra text, p_member text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return p_extra::json ->> p_member;
exception
  when others then
    return null;
end $$;
comment on function trail.readable_extra is 'Another member of what is stored beside an entry''s values; null where that cannot be read.';

-- Nobody is Unattributed (0009); entries of Waltrail's own (rung w) have row 0 of trail.modifier as well, and were made by Waltrail.
create or replace view trail.readable as
select e.id,
       e.committed_at,
       case e.rung when 'w' then 'Waltrail' else m.name end as modified_by,
       m.kind as modifier_kind,
       m.key as modifier_key,
       case e.rung when 'm' then 'message' when 'c' then 'column' when 's' then 'session' when 'w' then 'waltrail' else 'unattributed' end as rung,
       a.name as action,
       t.name as entity_type,
       e.entity_name,
       e.entity_id,
       n.name as tenant,
       trail.readable_values(e.previous, e.columns, r.columns) as previous,
       trail.readable_values(e.updated, e.columns, r.columns) as updated,
       r.schema_name || '.' || r.table_name as source_table,
       case e.operation when 'i' then 'insert' when 'u' then 'update' when 'd' then 'delete' else 'truncate' end as operation,
       e.xid,
       e.commit_lsn,
       e.seq,
       trail.readable_context(e.extra) as context,
       trail.readable_extra(e.extra, 'origin') as origin,
       trail.readable_extra(e.extra, 'claimedCommitAt') as claimed_commit_at
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.relation r on r.id = e.relation_id;

revoke execute on function trail.readable_context, trail.readable_extra from public;
