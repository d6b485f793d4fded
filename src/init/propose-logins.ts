import { wordsOf } from '../tracking/entity-default.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { ModifierColumn, PeopleTable, ProposedAction } from './proposal.js';
import { isBoolean, isInteger, isTime, nounOf, singleKey } from './table-index.js';

/** Columns that a login changes in the row of the person who logs in, most reliable first. */
const LOGIN_COUNTS = new Set(['sign_in_count', 'login_count', 'logins_count']);
const LOGIN_TIMES = [
  'current_sign_in_at',
  'last_sign_in_at',
  'last_login',
  'last_login_at',
  'last_logged_in',
  'last_logged_in_at',
  'last_signed_in_at',
  'logged_in_at',
];
const FAILURES = new Set(['failed_attempts', 'failed_login_attempts', 'failed_logins', 'login_failed']);

const spelled = ({ name }: ColumnFacts): string => wordsOf(name).join('_');

/** Returns the column that shows a login; null if there is none. */
export function loginColumn({ columns }: TableFacts): string | null {
  const all = [...columns.values()];
  const counted = all.find((column) => isInteger(column) && LOGIN_COUNTS.has(spelled(column)));
  if (counted !== undefined) return counted.name;
  for (const wanted of LOGIN_TIMES) {
    const found = all.find((column) => isTime(column) && spelled(column) === wanted);
    if (found !== undefined) return found.name;
  }
  return null;
}

/** Actions for logins, and the modifiers that go with them. */
export interface Logins {
  readonly actions: readonly ProposedAction[];
  readonly modifiers: readonly ModifierColumn[];
}

const NONE: Logins = { actions: [], modifiers: [] };

/** Finds logins that change a row of people, or that are rows of their own table. */
export function loginsOf(facts: TableFacts, people: readonly PeopleTable[]): Logins {
  const own = people.find(({ table }) => table === facts.key);
  if (own !== undefined) return ofPerson(facts, own);
  return isLoginTable(facts) ? ofLoginTable(facts, people) : NONE;
}

function ofPerson(facts: TableFacts, own: PeopleTable): Logins {
  const column = loginColumn(facts);
  const key = singleKey(facts);
  if (column === null || key === null) return NONE;
  const failed = [...facts.columns.values()].find(
    (other) => isInteger(other) && FAILURES.has(spelled(other)),
  );
  return {
    actions: [
      { on: 'update', column: { how: 'increased', name: column }, when: [], action: 'login' },
      ...(failed === undefined
        ? []
        : [
            {
              on: 'update' as const,
              column: { how: 'increased' as const, name: failed.name },
              when: [],
              action: 'login_failed',
            },
          ]),
    ],
    modifiers: [
      {
        column: key.name,
        as: own.called,
        on: null,
        action: 'login',
        fact: 'the row is the person who logs in',
      },
    ],
  };
}

const isLoginTable = ({ table }: TableFacts): boolean =>
  /^(?:.* )?(?:login|logon|sign in|login (?:event|activity|attempt|history|log)|authentication (?:event|log))$/.test(
    nounOf(table.name).join(' '),
  );

function ofLoginTable(facts: TableFacts, people: readonly PeopleTable[]): Logins {
  const columns = [...facts.columns.values()];
  const success = columns.find(
    (column) => isBoolean(column) && /^(?:is_)?(?:success|successful|succeeded|ok)$/.test(spelled(column)),
  );
  const insert = (action: string, when: ProposedAction['when']): ProposedAction => ({
    on: 'insert',
    column: null,
    when,
    action,
  });
  const person = columns.flatMap((column) => {
    const target = facts.references.get(column.name)?.table;
    const found = people.find(({ table }) => table === target);
    return found === undefined ? [] : [{ column: column.name, as: found.called }];
  })[0];
  return {
    actions:
      success === undefined
        ? [insert('login', [])]
        : [insert('login', [[success.name, true]]), insert('login_failed', [[success.name, false]])],
    modifiers:
      person === undefined
        ? []
        : [{ ...person, on: null, action: 'login', fact: 'the row names the person who logs in' }],
  };
}
