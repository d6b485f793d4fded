import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { Witness } from './proposal.js';
import { asOf, type PeopleGround } from './propose-modifiers.js';
import { prefixedTables } from './propose-prefixes.js';
import { isText, nounOf, pairsOf, singleKey } from './table-index.js';

/**
 * Reads a table as an audit table, by its columns. Returns one rule, or one for each table whose keys follow
 * a prefix. Returns none if it is no audit table, or names nobody who is known.
 */
export function witnessesOf(table: TableFacts, ground: PeopleGround): readonly Witness[] {
  for (const kind of KINDS) {
    const found = kind(table, ground);
    const column = found === null ? undefined : table.columns.get(found.modifier);
    if (found === null || column === undefined) continue;
    const prefixed = byPrefix(column, table, ground);
    if (prefixed.length > 0) return prefixed.map((whose) => ({ ...found, table: table.key, ...whose }));
    const whose = asOf(column, table, ground) ?? asText(column, ground);
    if (whose !== null) return [{ ...found, table: table.key, prefix: null, as: whose.as }];
  }
  return [];
}

/** Tables of people whose names precede their keys. */
const byPrefix = (
  column: ColumnFacts,
  table: TableFacts,
  { people, index }: PeopleGround,
): readonly { readonly prefix: string; readonly as: string }[] =>
  prefixedTables(column, table, index).flatMap(({ prefix, facts }) => {
    const found = people.find((one) => one.table === facts.key);
    return found === undefined ? [] : [{ prefix, as: found.called }];
  });

/** PaperTrail stores the modifier as a text, so keys are compared as texts. */
const asText = (column: ColumnFacts, { people }: PeopleGround): { readonly as: string } | null =>
  column.name === 'whodunnit' && isText(column) && people[0] !== undefined ? { as: people[0].called } : null;

type Found = Omit<Witness, 'table' | 'prefix' | 'as'>;
type Kind = (table: TableFacts, ground: Pick<PeopleGround, 'facts'>) => Found | null;

/** Returns the column of an audit table that says who made a change; undefined if it is no audit table. */
export function auditColumn(table: TableFacts, facts: PeopleGround['facts']): ColumnFacts | undefined {
  const [found] = KINDS.flatMap((kind) => kind(table, { facts }) ?? []);
  return found === undefined ? undefined : table.columns.get(found.modifier);
}

const has = ({ columns }: TableFacts, ...names: readonly string[]): boolean =>
  names.every((name) => columns.has(name));

const audited: Kind = (table) =>
  has(table, 'auditable_type', 'auditable_id', 'user_id')
    ? {
        modifier: 'user_id',
        row: { type: 'auditable_type', key: 'auditable_id' },
        fact: 'columns as in audited (Rails) and Laravel Auditing',
      }
    : null;

const paperTrail: Kind = (table) =>
  has(table, 'item_type', 'item_id', 'whodunnit')
    ? {
        modifier: 'whodunnit',
        row: { type: 'item_type', key: 'item_id' },
        fact: 'columns as in PaperTrail',
      }
    : null;

const activityLog: Kind = (table) =>
  has(table, 'causer_type', 'causer_id', 'subject_type', 'subject_id')
    ? {
        modifier: 'causer_id',
        row: { type: 'subject_type', key: 'subject_id' },
        fact: 'columns as in the activity log of Laravel',
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
    fact: 'columns as in django-simple-history',
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

/** Names of audit tables that applications create themselves, in the singular. */
const AUDIT_NOUN =
  /(?:^| )(?:audit|audit (?:log|event|entry|trail|record)|change log|changelog|activity log|action log|admin (?:log|event))$/;
const ACTORS =
  /^(?:changed|modified|updated|performed|done|made|acted)_by(?:_user)?(?:_id)?$|^(?:actor|performer|whodunnit)(?:_id)?$/;
/** In a table named as an audit log, these columns say who made the change, too. The most likely first. */
const USERS = ['user_id', 'admin_id', 'employee_id', 'staff_id', 'author_id', 'member_id', 'account_id'];
/** Without a foreign key to people, these mean a tenant as often. */
const OFTEN_TENANTS: ReadonlySet<string> = new Set(['member_id', 'account_id']);

const spelled = ({ name }: ColumnFacts): string => wordsOf(name).join('_');

const ownLog: Kind = (table, { facts }) => {
  const noun = nounOf(table.table.name);
  const isAudit = AUDIT_NOUN.test(noun.join(' '));
  const isHistory = noun.at(-1) === 'history' && noun.length > 1;
  if (!isAudit && !isHistory) return null;
  const columns = [...table.columns.values()];
  const actor =
    columns.find((column) => ACTORS.test(spelled(column))) ?? (isAudit ? userColumn(table) : undefined);
  if (actor === undefined) return null;
  return {
    modifier: actor.name,
    row: rowOf(table, { actor, facts }),
    fact: 'named as an audit log',
  };
};

const userColumn = ({ columns, references }: TableFacts): ColumnFacts | undefined =>
  USERS.flatMap((name) => {
    const found = [...columns.values()].find((column) => spelled(column) === name);
    return found === undefined || (OFTEN_TENANTS.has(name) && !references.has(found.name)) ? [] : [found];
  })[0];

/**
 * Returns the row that an audit row is about: by a polymorphic pair, or by the key of the table whose history
 * it is.
 */
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

/** Kinds of audit tables, most reliable first. */
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
