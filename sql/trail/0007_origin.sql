-- Transactions that came to the source through replication: the name of their origin is stored beside the context.

comment on column trail.entry.extra is 'JSON: {"context": …, "origin": "…"}, each where there is one; null mostly.';

-- In a view a column can be added behind the others only.
create or replace view trail.readable as
select e.id,
       e.committed_at,
       m.name as modified_by,
       m.kind as modifier_kind,
       m.key as modifier_key,
       case e.rung when 'm' then 'message' when 'c' then 'column' when 's' then 'session' else 'system' end as rung,
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
