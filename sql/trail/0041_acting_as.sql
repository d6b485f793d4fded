-- Whom a modifier acted as (DECISIONS 104). Somebody who acts as somebody else is a row of trail.modifier of their own: key, name and kind
-- are those of who acted, and acting_as is the row of whom. So entries, posting lists and summaries are what they were.

alter table trail.modifier
  add column acting_as int4,
  -- Of a row that is numbered before. It takes the writer's word that this one acts as nobody; verify looks.
  add constraint modifier_acting_as_known check (acting_as between 1 and id - 1);
create index modifier_acting_as on trail.modifier (acting_as) where acting_as is not null;
comment on table trail.modifier is 'Who made changes, one row for each key, name and kind ever seen, and for each person acted as; row 0 is nobody, who has neither key nor kind.';
comment on column trail.modifier.acting_as is 'Row of the person in whose name the modifier acted, as of the change; null: in their own. Key, name and kind are those of who acted.';

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
       p.name as previous_tenant,
       i.name as acting_as,
       i.key as acting_as_key
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.modifier i on i.id = m.acting_as
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.tenant p on p.id = e.previous_tenant_id
  left join trail.relation r on r.id = e.relation_id;
