import { SESSION_PRESETS, type SessionPreset } from '../tracking/session-presets.js';
import type { SourceFacts, TableFacts } from './facts.js';
import type { PeopleTable, ProposedSession, ProposedSetting } from './proposal.js';

/** Presets that a setting suggests. If two have the same settings, the first whose table exists is used. */
const PRESETS: readonly { readonly preset: SessionPreset; readonly table: string | null }[] = [
  { preset: 'supabase', table: 'auth.users' },
  { preset: 'postgrest', table: null },
  { preset: 'hasura', table: null },
  { preset: 'postgraphile', table: null },
  { preset: 'pgmemento', table: null },
  { preset: 'django', table: null },
];

/**
 * The last word of a setting that holds the key of the current user. A setting named after an account, an
 * organization or a tenant may stand for many people. One named after a name holds no key.
 */
const KEY =
  /^(?:(?:current|acting|session|app|auth)_?)?(?:user|actor|agent|employee|staff|member|person|admin|operator)_?(?:id|uuid)$|^uid$/;

/**
 * Finds settings by which the application tells PostgreSQL who it works for: its own functions, policies and
 * defaults read them. Null if none was found, or if there are no people.
 *
 * @param tracked the tables that need the trigger
 */
export function proposeSession(
  { catalog, settings }: SourceFacts,
  { people, tracked }: { readonly people: readonly PeopleTable[]; readonly tracked: readonly TableFacts[] },
): ProposedSession | null {
  if (people.length === 0) return null;
  const taken = new Set<string>();
  const presets = PRESETS.flatMap(({ preset, table }): ProposedSetting[] => {
    const own: readonly string[] = SESSION_PRESETS[preset].map(({ setting }) => setting);
    const read = own.filter((setting) => settings.includes(setting) && !taken.has(setting));
    const isThere =
      table === null || catalog.tables.some(({ schema, name }) => `${schema}.${name}` === table);
    if (read.length === 0 || !isThere) return [];
    for (const setting of own) taken.add(setting);
    return [{ preset, fact: factOf(read) }];
  });
  const others = settings
    .filter((setting) => !taken.has(setting) && KEY.test(setting.split('.').at(-1)!))
    .slice(0, MAX_OTHERS)
    .map((setting): ProposedSetting => ({ setting, fact: factOf([setting]) }));
  const found = [...presets, ...others];
  if (found.length === 0) return null;
  return { settings: found, isAllowed: tracked.every(({ table }) => table.mayTrigger) };
}

/** Limit of settings. The trigger reads each of them at each statement. */
const MAX_OTHERS = 4;

const factOf = (settings: readonly string[]): string =>
  `functions or policies of the database read ${settings.join(' and ')}`;
