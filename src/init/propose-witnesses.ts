import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { Witness } from './proposal.js';
import { asOf, type PeopleGround } from './propose-modifiers.js';
import { isText, nounOf, pairsOf, singleKey } from './table-index.js';

/** The audit table that a table is, as its columns tell; null: it is none, or names nobody who is known. */
export function witnessOf(table: TableFacts, ground: PeopleGround): Witness | null {
  for (const kind of KINDS) {
    const found = kind(table, ground);
    if (found === null) continue;
    const column = table.columns.get(found.modifier);
    const whose = column === undefined ? null : (asOf(column, table, ground) ?? asText(column, ground));
    if (whose !== null) return { ...found, table: table.key, as: whose.as };
  }
  return null;
}

/** PaperTrail has a text for whoever it is; keys are compared as texts. */
const asText = (column: ColumnFacts, { people }: PeopleGround): { readonly as: string } | null =>
  column.name === 'whodunnit' && isText(column) && people[0] !== undefined ? { as: people[0].called } : null;

type Found = Omit<Witness, 'table' | 'as'>;
type Kind = (table: TableFacts, ground: PeopleGround) => Found | null;

const has = ({ columns }: TableFacts, ...names: readonly string[]): boolean =>
  names.every((name) => columns.has(name));

const audited: Kind = (table) =>
  has(table, 'auditable_type', 'auditable_id', 'user_id')
    ? {
        modifier: 'user_id',
        row: { type: 'auditable_type', key: 'auditable_id' },
        fact: 'columns as audited (Rails) and Laravel Auditing have them',
      }
    : null;

const paperTrail: Kind = (table) =>
  has(table, 'item_type', 'item_id', 'whodunnit')
    ? {
        modifier: 'whodunnit',
        row: { type: 'item_type', key: 'item_id' },
        fact: 'columns as PaperTrail has them',
      }
    : null;

const activityLog: Kind = (table) =>
  has(table, 'causer_type', 'causer_id', 'subject_type', 'subject_id')
    ? {
        modifier: 'causer_id',
        row: { type: 'subject_type', key: 'subject_id' },
        fact: 'columns as the activity log of Laravel has them',
      }
    : null;

const simpleHistory: Kind = (table, { facts }) => {
  if (!has(table, 'history_id', 'history_type', 'history_user_id')) return null;
  const { schema, name } = table.table;
  const of = [...facts.values()].find(
    (other) => other.table.schema === schema && name.replace('historical', '') === other.table.name,
  );
  const key = of === undefined ? null : singleKey(of);
  const isNamed = of !== undefined && key !== null && table.columns.has(key.name);
  return {
    modifier: 'history_user_id',
    row: isNamed ? { table: of.key, key: key.name } : null,
    fact: 'columns as django-simple-history has them',
  };
};

const odoo: Kind = (table) =>
  table.table.name === 'mail_message' && has(table, 'model', 'res_id', 'create_uid')
    ? { modifier: 'create_uid', row: { type: 'model', key: 'res_id' }, fact: 'messages of Odoo' }
    : null;

const zammad: Kind = (table) =>
  has(table, 'history_type_id', 'history_object_id', 'o_id', 'created_by_id')
    ? {
        modifier: 'created_by_id',
        row: null,
        fact: 'histories of Zammad: the type of a row is in another table',
      }
    : null;

const djangoAdmin: Kind = (table) =>
  table.table.name === 'django_admin_log' && has(table, 'user_id', 'action_flag')
    ? {
        modifier: 'user_id',
        row: null,
        fact: 'the log of the Django admin: the type of a row is in another table',
      }
    : null;

/** What tables that applications write for this are called, in the singular. */
const AUDIT_NOUN =
  /(?:^| )(?:audit|audit (?:log|event|entry|trail|record)|change log|changelog|activity log|action log|admin (?:log|event))$/;
const ACTORS =
  /^(?:changed|modified|updated|performed|done|made|acted)_by(?:_user)?(?:_id)?$|^(?:actor|performer|whodunnit)(?:_id)?$/;
/** In a table that is an audit log by its name, these name who did it as well. */
const USERS = /^(?:user|account|author|admin|employee|staff|member)_id$/;

const spelled = ({ name }: ColumnFacts): string => wordsOf(name).join('_');

const ownLog: Kind = (table, { facts }) => {
  const noun = nounOf(table.table.name);
  const isAudit = AUDIT_NOUN.test(noun.join(' '));
  const isHistory = noun.at(-1) === 'history' && noun.length > 1;
  if (!isAudit && !isHistory) return null;
  const columns = [...table.columns.values()];
  const actor =
    columns.find((column) => ACTORS.test(spelled(column))) ??
    (isAudit ? columns.find((column) => USERS.test(spelled(column))) : undefined);
  if (actor === undefined) return null;
  return {
    modifier: actor.name,
    row: rowOf(table, { actor, facts }),
    fact: 'an audit log by its name',
  };
};

/** The row that an audit row is about: a polymorphic pair, or the key of the table whose history it is. */
function rowOf(
  table: TableFacts,
  { actor, facts }: { readonly actor: ColumnFacts; readonly facts: PeopleGround['facts'] },
): Witness['row'] {
  const pair = pairsOf(table).find(({ id }) => id !== actor);
  if (pair !== undefined) return { type: pair.type.name, key: pair.id.name };
  const of = nounOf(nounOf(table.table.name).slice(0, -1).join('_')).join(' ');
  const reference = [...table.references].find(([column, { table: target }]) => {
    const found = facts.get(target);
    return column !== actor.name && found !== undefined && nounOf(found.table.name).join(' ') === of;
  });
  if (reference === undefined) return null;
  const [column, { table: target, column: key }] = reference;
  return singleKey(facts.get(target)!)?.name === key ? { table: target, key: column } : null;
}

/** The surest first. */
const KINDS: readonly Kind[] = [
  audited,
  paperTrail,
  activityLog,
  simpleHistory,
  odoo,
  zammad,
  djangoAdmin,
  ownLog,
];
