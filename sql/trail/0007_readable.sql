-- The trail in words, for an auditor with psql. Written to be right and easy to check, not fast: narrow it by id or
-- committed_at, or to one partition's day.

create function trail.readable_field(p_field text) returns text
language sql immutable set search_path = '' as $$
  -- The encoding of src/trail/values.ts: ESC N is null, ESC U was not sent, ESC X is hexadecimal, ESC [ and ESC _ are
  -- the bytes 0x1B and 0x1F.
  select case
    when p_field = e'\x1bN' then null
    when left(p_field, 2) = e'\x1bX' then '\x' || substr(p_field, 3)
    else replace(replace(p_field, e'\x1b_', e'\x1f'), e'\x1b[', e'\x1b')
  end
$$;

create function trail.readable_values(p_stored text, p_columns text, p_relation jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(coalesce(p_relation -> place ->> 'name', 'column ' || place + 1), trail.readable_field(field))
                    filter (where field <> e'\x1bU'), '{}')
    from (
      select field,
             case when p_columns is null then (number - 1)::int4 else ascii(substr(p_columns, number::int4, 1)) - 33 end as place
        from string_to_table(p_stored, e'\x1f') with ordinality as f (field, number)
       -- Every field is followed by a separator, so what stands behind the last one is no field.
       where number <= length(p_stored) - length(replace(p_stored, e'\x1f', ''))
    ) fields
   having p_stored is not null
$$;
comment on function trail.readable_values is 'Stored values as an object of texts by column name; values that the source did not send are left out.';

create view trail.readable as
select e.id,
       e.committed_at,
       m.name as modified_by,
       m.kind as modifier_kind,
       m.key as modifier_key,
       case e.rung when 'm' then 'message' when 'c' then 'column' when 's' then 'session' when 'w' then 'waltrail' else 'system' end as rung,
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
       e.extra::json -> 'context' as context,
       e.extra::json ->> 'origin' as origin
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.relation r on r.id = e.relation_id;
comment on view trail.readable is 'Every entry in words: previous and updated as objects of texts by column name. For people; the API is faster.';

revoke execute on function trail.readable_field, trail.readable_values from public;

-- Where the roles are missing, trail.grant_roles says so when it is called again.
do $$
begin
  if exists (select from pg_catalog.pg_roles where rolname = 'waltrail_reader') then
    grant select on trail.readable to waltrail_reader;
    grant execute on function trail.readable_field, trail.readable_values to waltrail_reader;
  end if;
end $$;
