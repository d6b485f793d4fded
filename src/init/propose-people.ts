import { wordsOf } from '../tracking/entity-default.js';
import { isSecretName } from '../tracking/secrets.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import { loginColumn } from './propose-logins.js';
import type { Lookup, PeopleTable } from './proposal.js';
import { isBoolean, isText, nounOf, pairsOf, singleKey, type Pair } from './table-index.js';
import { classOf } from './class-names.js';
import { saysWhoCreated, saysWhoUpdated } from './who-columns.js';

/** Names of tables of people, in the singular. A higher figure counts for more. */
const NOUNS: Readonly<Record<string, number>> = {
  user: 6,
  benutzer: 6,
  usuario: 6,
  usuário: 6,
  utilisateur: 6,
  utente: 6,
  utenti: 6,
  gebruiker: 6,
  staff: 5,
  employee: 5,
  mitarbeiter: 5,
  empleado: 5,
  agent: 4,
  admin: 4,
  administrator: 4,
  operator: 3,
  member: 2,
  person: 2,
  account: 1,
  customer: 1,
  contact: 1,
  bot: 1,
};

const EMAIL = new Set(['email', 'correo', 'courriel']);

/** Polymorphic pairs that name who did something, not what it was done to. */
const ACTORS = new Set([
  'sender',
  'author',
  'user',
  'actor',
  'causer',
  'creator',
  'created by',
  'updated by',
  'performer',
  'whodunnit',
  'performed by',
]);

export const isActorPair = ({ words }: Pair): boolean => ACTORS.has(words.join(' '));

/**
 * Finds the tables of people. The first one has logins, or columns that say who did something refer to it.
 * Others follow if people log in there too, or if a column says that a key belongs to them.
 *
 * @param options.prefixed tables whose names an audit table puts before their keys
 */
export function proposePeople(
  tables: readonly TableFacts[],
  options: { readonly lookups: ReadonlyMap<string, Lookup>; readonly prefixed: readonly TableFacts[] },
): readonly PeopleTable[] {
  const { lookups, prefixed } = options;
  const referred = countReferences(tables);
  const candidates = tables
    .filter(({ key }) => lookups.has(key))
    .map((facts) => ({ facts, ...scoreOf(facts, referred.get(facts.key) ?? 0) }))
    .filter(({ score, reasons }) => score > 0 && reasons.length > 0)
    .sort((one, other) => other.score - one.score);
  const [main] = candidates;
  const actors = new Set(tables.flatMap((facts) => pairsOf(facts).filter(isActorPair).flatMap(typesOf)));
  const chosen = candidates.filter(
    (candidate) =>
      candidate === main ||
      candidate.logsIn ||
      (referred.get(candidate.facts.key) ?? 0) > 0 ||
      actors.has(classOf(candidate.facts.table.name)),
  );
  const named = [
    ...chosen,
    ...tables
      .filter(
        (facts) =>
          lookups.has(facts.key) &&
          actors.has(classOf(facts.table.name)) &&
          !chosen.some((other) => other.facts === facts),
      )
      .map((facts) => ({ facts, reasons: ['a type column names this table for its keys'] })),
  ];
  const others = [...new Set(prefixed)]
    .filter((facts) => !named.some((other) => other.facts === facts))
    .map((facts) => ({ facts, reasons: ['an audit table puts its name before its keys'] }));
  const taken = new Set<string>();
  return [...named, ...others].flatMap(({ facts, reasons }) => {
    const called = calledIn(facts, taken);
    const lookup = lookups.get(facts.key) ?? namelessLookup(facts, named[0]?.facts);
    if (called === null || lookup === null) return [];
    taken.add(called);
    return [{ ...lookup, called, bot: botColumn(facts), fact: reasons.join(', ') }];
  });
}

/** Looks up rows that stand for people but have no name: by the key of their person, or by their own. */
function namelessLookup(facts: TableFacts, main: TableFacts | undefined): Lookup | null {
  const key = singleKey(facts);
  if (key === null) return null;
  const [person] = [...facts.references].find(([, { table }]) => table === main?.key) ?? [key.name];
  return { table: facts.key, key: key.name, name: [{ column: person }] };
}

/** Returns the class names that a type column is known to hold. */
const typesOf = ({ type }: Pair): readonly string[] => type.common ?? [];

interface Score {
  readonly score: number;
  /** Whether people log in there, or have user names. */
  readonly logsIn: boolean;
  readonly reasons: readonly string[];
}

function scoreOf(facts: TableFacts, referred: number): Score {
  const noun = nounOf(facts.table.name);
  const byName = noun.length > 2 ? 0 : (NOUNS[noun.at(-1) ?? ''] ?? 0);
  const columns = [...facts.columns.values()];
  const hasPassword = columns.some(isPassword);
  const login = loginColumn(facts);
  const hasEmail = columns.some(
    (column) => isText(column) && wordsOf(column.name).some((word) => EMAIL.has(word)),
  );
  const hasUserName = columns.some(
    (column) => isText(column) && /^(?:user_?name|benutzername|gebruikersnaam)$/i.test(column.name),
  );
  const logsIn = (hasPassword && (hasEmail || hasUserName || byName > 0)) || (login !== null && byName > 0);
  const told = [
    ...(hasPassword && logsIn ? ['people log in with a password'] : []),
    ...(login !== null && logsIn ? [`${login} shows logins`] : []),
    ...(referred > 0
      ? [`${referred} ${referred === 1 ? 'column says' : 'columns say'} who did something, with its keys`]
      : []),
  ];
  const byUserName = hasUserName && byName > 0 ? ['its rows have user names'] : [];
  const byNameAlone = byName >= 4 ? ['by its name'] : [];
  const reasons = told.length > 0 ? told : byUserName.length > 0 ? byUserName : byNameAlone;
  // A table with a name of two words, such as account_users, is usually about a relation and not about
  // people.
  const score =
    byName +
    (logsIn ? 6 : 0) +
    (hasEmail ? 1 : 0) +
    (hasUserName ? 2 : 0) +
    2 * Math.min(referred, 6) -
    noun.length;
  return {
    score: byName > 0 || logsIn || referred > 0 ? score : 0,
    logsIn: logsIn || byUserName.length > 0,
    reasons,
  };
}

/**
 * Whether a column is the password of the row's person. A mail server's password (`imap_password`) is not.
 */
const isPassword = ({ name }: ColumnFacts): boolean =>
  isSecretName(name) &&
  /^(?:encrypted_|hashed_|crypted_)?(?:password|passwd|pwd|passwort|kennwort|contrasena|contraseña|senha|mot_de_passe|motdepasse|mdp|wachtwoord|haslo)(?:_(?:digest|hash|hashed|encrypted|salt))?$/.test(
    wordsOf(name).join('_'),
  );

const DOES = /^(?:created|updated|modified|changed|edited)_?by/;

/** Counts columns of foreign keys that say who did something, by the table that they refer to. */
function countReferences(tables: readonly TableFacts[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { references } of tables)
    for (const [column, { table }] of references)
      if (DOES.test(wordsOf(column).join('_')) || saysWhoCreated(column) || saysWhoUpdated(column))
        counts.set(table, (counts.get(table) ?? 0) + 1);
  return counts;
}

const botColumn = ({ columns }: TableFacts): string | null =>
  [...columns.values()].find((column) => isBoolean(column) && /^(?:is_?)?bot$/i.test(column.name))?.name ??
  null;

/** Returns a name for `modifiers`: the table's own if it is still free. */
function calledIn({ table }: TableFacts, taken: ReadonlySet<string>): string | null {
  const names = [wordsOf(table.name), [...wordsOf(table.schema), ...wordsOf(table.name)]];
  return (
    names
      .map((words) => words.join('_'))
      .find((name) => /^[a-z][a-z0-9_]{0,62}$/.test(name) && !taken.has(name)) ?? null
  );
}
