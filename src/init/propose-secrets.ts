import { wordsOf } from '../tracking/entity-default.js';
import { isSecretColumn } from '../tracking/secrets.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { TableSecrets } from './proposal.js';
import { nounOf } from './table-index.js';

/** Returns the columns of a table to mask: those that the defaults mask by name, and further ones. */
export function secretsOf(facts: TableFacts): readonly TableSecrets[] {
  const { key, table, columns } = facts;
  const all = [...columns.values()];
  const named = all.filter((column) => isSecretByName(table.name, column));
  const settings = settingValues(facts).filter((column) => !named.includes(column));
  const isKey = ({ name }: ColumnFacts): boolean => table.primaryKey.includes(name);
  const rule = (found: readonly ColumnFacts[], how: 'mask' | 'hash', fact: string | null): TableSecrets[] =>
    found.length === 0 ? [] : [{ table: key, columns: found.map(({ name }) => name), with: how, fact }];
  return [
    ...rule(
      named.filter((column) => !isKey(column)),
      'mask',
      null,
    ),
    ...rule(named.filter(isKey), 'hash', 'the key is a secret: a hash still distinguishes rows'),
    ...rule(
      settings,
      'mask',
      'each row is a setting, and one may be a password: remove this line if none is',
    ),
  ];
}

/** Names of numeric columns that are secrets. Other numbers with similar names only describe a secret. */
const SECRET_NUMBER = /^(?:.*_)?(?:pin|pin_code|passcode|otp|otp_code|totp|cvv|cvc)$/;

function isSecretByName(table: string, { name, kind }: ColumnFacts): boolean {
  const spelled = wordsOf(name).join('_');
  if (SECRET_NUMBER.test(spelled)) return true;
  if (kind.of === 'plain') return false;
  return isSecretColumn(table, name) || isSecretThere(table, spelled);
}

/** Columns whose names alone mean little, by the last words of their table in the singular. */
const THERE: readonly { readonly table: string; readonly columns: ReadonlySet<string> }[] = [
  { table: 'session activation', columns: new Set(['session_id']) },
  { table: 'invite', columns: new Set(['code']) },
  { table: 'invitation', columns: new Set(['code']) },
  {
    table: 'subscription',
    columns: new Set(['subscription_attributes', 'p256dh', 'key_p256dh', 'key_auth']),
  },
  { table: 'push subscription', columns: new Set(['endpoint', 'key_auth', 'key_p256dh', 'auth', 'p256dh']) },
  { table: 'one time key', columns: new Set(['key']) },
  { table: 'system key', columns: new Set(['key']) },
  { table: 'magic link', columns: new Set(['code', 'url', 'link']) },
];

const isSecretThere = (table: string, column: string): boolean => {
  const noun = ` ${nounOf(table).join(' ')}`;
  return THERE.some((there) => there.columns.has(column) && noun.endsWith(` ${there.table}`));
};

const SETTINGS = new Set([
  'setting',
  'config',
  'configuration',
  'variable',
  'parameter',
  'preference',
  'option',
  'property',
  'env',
]);
const NAMES = new Set(['name', 'key', 'var', 'code', 'setting', 'property', 'option', 'parameter']);
const VALUES = new Set([
  'value',
  'val',
  'serialized_value',
  'string_value',
  'text_value',
  'json_value',
  'setting_value',
  'config_value',
  'default_value',
  'data',
]);

/** Returns the value columns of a table in which every row is one named setting. */
function settingValues({ table, columns }: TableFacts): readonly ColumnFacts[] {
  if (!SETTINGS.has(nounOf(table.name).at(-1) ?? '')) return [];
  const all = [...columns.values()];
  const spelled = (column: ColumnFacts): string => wordsOf(column.name).join('_');
  if (!all.some((column) => NAMES.has(spelled(column)))) return [];
  return all.filter(
    (column) =>
      VALUES.has(spelled(column)) &&
      column.kind.of !== 'plain' &&
      column.kind.of !== 'other' &&
      !table.primaryKey.includes(column.name),
  );
}
