-- Who made a change that nobody is known to have made: nobody. It read "System", as if the system had done it, and the system is a
-- modifier that the configuration names (kind system). Row 0 of trail.modifier stands for nobody, in entries of every age.

alter table trail.modifier alter column kind drop not null;
update trail.modifier set name = 'Unattributed', kind = null where id = 0;
alter table trail.modifier
  add constraint modifier_kind_known check ((id = 0) = (kind is null)),
  -- The filter of readers for nobody is the empty text, so no key may be it.
  add constraint modifier_key_not_empty check (key <> '');
comment on table trail.modifier is 'Who made changes, one row for each key, name and kind ever seen; row 0 is nobody, who has neither key nor kind.';

-- Exports are listed, and those that wait are made, with the filter as it was asked for: nobody was the word "unattributed", which is
-- a key like any other now.
update trail.export
   set filters = jsonb_set(filters, '{modifier}', (
         select jsonb_agg(case key when 'unattributed' then '' else key end order by place)
           from jsonb_array_elements_text(filters -> 'modifier') with ordinality as asked (key, place)))
 where jsonb_typeof(filters -> 'modifier') = 'array' and filters -> 'modifier' ? 'unattributed';

-- Entries of Waltrail's own (rung w) have row 0 as well; they were made by Waltrail.
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
       e.extra::json -> 'context' as context,
       e.extra::json ->> 'origin' as origin
  from trail.entry e
  left join trail.modifier m on m.id = e.modifier_id
  left join trail.action a on a.id = e.action_id
  left join trail.entity_type t on t.id = e.entity_type_id
  left join trail.tenant n on n.id = e.tenant_id
  left join trail.relation r on r.id = e.relation_id;
