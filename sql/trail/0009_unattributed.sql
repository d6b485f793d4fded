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
