-- The rung `witness` (DECISIONS 86): letter a of trail.entry.rung. The modifier of an entry is whom an audit row names that the
-- application has added in the same transaction.

comment on column trail.entry.rung is 'How the modifier was found: m message, a witness (an audit row of the application), c column, s session, - nobody found, w Waltrail''s own.';

create or replace view trail.readable as
select e.id,
       e.committed_at,
       case e.rung when 'w' then 'Waltrail' else m.name end as modified_by,
       m.kind as modifier_kind,
       m.key as modifier_key,
       case e.rung when 'm' then 'message' when 'a' then 'witness' when 'c' then 'column' when 's' then 'session' when 'w' then 'waltrail' else 'unattributed' end as rung,
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
       trail.context_of(e.extra, e.id) as context,
       trail.readable_extra(e.extra, 'origin') as origin,
       trail.readable_extra(e.extra, 'claimedCommitAt') as claimed_commit_at,
       e.previous_entity_id,
       e.previous_entity_name,
       e.previous_tenant_id is not null as changed_tenant,
       p.name as previous_tenant
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.tenant p on p.id = e.previous_tenant_id
  left join trail.relation r on r.id = e.relation_id;
