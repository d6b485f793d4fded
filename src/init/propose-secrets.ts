import { wordsOf } from '../tracking/entity-default.js';
import { isSecretColumn } from '../tracking/secrets.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { TableSecrets } from './proposal.js';
import { nounOf } from './table-index.js';

/** Returns the columns of a table to mask: those that the defaults mask by name, and further ones. */
export function secretsOf(facts: TableFacts): readonly TableSecrets[] {
  const { key, table, columns } = facts;
  const all = [...columns.values()];
  const named = all.filter((column) => isSecretByName(table.name, column) || isSessionId(facts, column));
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
  {
    table: 'push subscription',
    columns: new Set(['endpoint', 'key_auth', 'key_p256dh', 'auth', 'p256dh', 'data']),
  },
  { table: 'one time key', columns: new Set(['key']) },
  { table: 'system key', columns: new Set(['key']) },
  { table: 'magic link', columns: new Set(['code', 'url', 'link']) },
  { table: 'temp user', columns: new Set(['code']) },
  // WordPress keeps the tokens of sessions here.
  { table: 'usermeta', columns: new Set(['meta_value']) },
  // Settings whose table is not called so: Keycloak, plugins of Discourse
  { table: 'client attribute', columns: new Set(['value']) },
  { table: 'config entry', columns: new Set(['value']) },
  { table: 'store row', columns: new Set(['value']) },
];

/** Words before `session` in names of tables whose rows are logins. A `chat_session` is none. */
const LOGINS: ReadonlySet<string> = new Set([
  '',
  ...'user users auth core web http login browser admin account customer app'.split(' '),
]);

/** Whether a text is what the browser sends to be recognised: the key of a table of sessions. */
function isSessionId({ table }: TableFacts, { name, kind }: ColumnFacts): boolean {
  const noun = nounOf(table.name);
  const isSession = noun.at(-1) === 'session' && LOGINS.has(noun.slice(0, -1).join(' '));
  return isSession && kind.of === 'text' && ['id', 'sid'].includes(name) && table.primaryKey.includes(name);
}

/** Returns the columns of foreign keys that hold a redacted key of another table, which has to stay one. */
export function keysOfSecrets(
  { key, references }: TableFacts,
  secrets: readonly TableSecrets[],
): readonly TableSecrets[] {
  const isOf = (table: string, column: string) => (one: TableSecrets) =>
    one.table === table && one.columns.includes(column);
  return [...references].flatMap(([column, { table, column: target }]): TableSecrets[] => {
    const found = secrets.find(isOf(table, target));
    if (found === undefined || secrets.some(isOf(key, column))) return [];
    return [
      { table: key, columns: [column], with: found.with, fact: `a key of ${table}, which is a secret` },
    ];
  });
}

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
  'einstellung',
  'einstellungen',
  'konfiguration',
  'configuracion',
  'configuraciones',
  'ajuste',
  'parametre',
  'parametro',
]);
const NAMES = new Set([
  ...['name', 'key', 'var', 'code', 'setting', 'property', 'option', 'parameter'],
  ...['schluessel', 'schlüssel', 'bezeichnung', 'clave', 'nombre', 'chave', 'nome', 'cle', 'clé', 'nom'],
]);
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
  'payload',
  'state_current',
  'state_initial',
  'wert',
  'valor',
  'valeur',
  'valore',
]);

const NOUN_BEFORE = new RegExp(`^(?:${[...SETTINGS].join('|')})_?(?=name$|key$|value$)`);

/** Whether Django has written the words of a name together: `projectoption`. */
const isGlued = (noun: string, word: string): boolean =>
  word.length > 3 && noun.endsWith(word) && noun !== 'adoption';

/** Returns the value columns of a table in which every row is one named setting. */
function settingValues({ table, columns }: TableFacts): readonly ColumnFacts[] {
  const noun = nounOf(table.name).at(-1) ?? '';
  const setting = [...SETTINGS].find((word) => word === noun || isGlued(noun, word));
  if (setting === undefined) return [];
  const all = [...columns.values()];
  // A noun may stand before the column: option_name and option_value, configkey and configvalue.
  const spelled = (column: ColumnFacts): string => wordsOf(column.name).join('_').replace(NOUN_BEFORE, '');
  if (!all.some((column) => NAMES.has(spelled(column)))) return [];
  return all.filter(
    (column) =>
      VALUES.has(spelled(column)) &&
      column.kind.of !== 'plain' &&
      column.kind.of !== 'other' &&
      !table.primaryKey.includes(column.name),
  );
}
