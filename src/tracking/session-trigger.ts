import { readFileSync } from 'node:fs';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogSessionFunction, CatalogSessionTrigger, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import type { Findings, PlanProblem, PlanStep } from './findings.js';
import { formatTable } from './names.js';
import { TRIGGER_SCHEMA as SCHEMA } from './reports.js';
import type { TrackingConfig } from './rules.js';
import { isPublishable, keyOf, lineageOf, type PublishedTable } from './tracked.js';

const TEMPLATE = new URL('../../sql/source/session-trigger.sql', import.meta.url);

/** Prefix of the messages of the trigger. */
export const SESSION_PREFIX = 'waltrail.session';
/** The longest value of a setting. A longer one is cut, and names nobody. */
export const MAX_SETTING_CHARACTERS = 4_096;

type Given = { readonly config: TrackingConfig; readonly catalog: Catalog };

/** What plan finds about the trigger that reports who a session works for. */
export interface SessionPlan extends Findings {
  /**
   * Steps that install the function and then the trigger on each table that lacks it, or that remove both.
   */
  readonly steps: readonly PlanStep[];
}

/**
 * Plans to install the function and the trigger on each tracked table, or to remove them, as the YAML asks
 * (DECISIONS 95).
 */
export function planSession(options: Given & { readonly published: readonly PublishedTable[] }): SessionPlan {
  const { config, catalog } = options;
  if (config.session === null) return { steps: removeSession(options), problems: [], warnings: [] };
  const wanted = spokenFor(options);
  const missing = wanted.filter((table) => !isSpokenFor(table, options));
  const [may, mayNot] = [
    missing.filter(({ mayTrigger }) => mayTrigger),
    missing.filter((t) => !t.mayTrigger),
  ];
  const keys = new Set(wanted.map(keyOf));
  const left = triggersOf(options).filter((trigger) => !keys.has(formatTable(trigger)));
  const others = left.filter(({ owned }) => !owned);
  return {
    steps: [
      ...functionSteps(options),
      ...may.map((table) => triggerStep(table, options)),
      ...left.filter(({ owned }) => owned).map(removeStep),
    ],
    problems: mayNot.map((table) => noPrivilege(table, catalog.role.name)),
    warnings: [...emitWarnings(options), ...others.map(leftWarning)],
  };
}

/** Steps that remove a publication's session triggers and their function. */
export function removeSession(options: Given): readonly PlanStep[] {
  const { config } = options;
  if (functionOf(options) === undefined) return [];
  return [
    {
      kind: 'session_function',
      tables: triggersOf(options).map(formatTable),
      sql: [
        // Cascades to its triggers, even on tables that another role owns.
        `drop function ${SCHEMA}.${quoteIdentifier(nameFor(config))}() cascade;`,
        // The schema stays if it has other functions: of the event triggers, or of another publication.
        `do $$ begin drop schema ${SCHEMA}; exception when dependent_objects_still_exist then null; end $$`,
      ].join('\n'),
      reason: config.session === null ? 'the YAML no longer asks for it' : 'apply created it',
      optional: true,
    },
  ];
}

/**
 * Returns the tables that need the trigger. These are tracked tables and their partitions, which may be
 * written to directly. They are also the tables that one of these is a partition of or inherits from: a
 * statement on such a table changes rows of the tracked one, but fires only its own triggers. Foreign tables
 * and views are left out.
 */
export function spokenFor({
  catalog,
  published,
}: Given & { readonly published: readonly PublishedTable[] }): readonly CatalogTable[] {
  const { tables } = indexOf(catalog);
  const found = new Map<string, CatalogTable>();
  const add = (table: CatalogTable): void => {
    const key = keyOf(table);
    if (found.has(key) || !isPublishable(table)) return;
    found.set(key, table);
    for (const parent of table.inherits) {
      const inherited = tables.get(formatTable(parent));
      if (inherited !== undefined) add(inherited);
    }
    lineageOf(table, catalog).forEach(add);
  };
  for (const { table, rule, partitions } of published) if (rule !== null) [table, ...partitions].forEach(add);
  return [...found.values()];
}

/** Whether a table has the enabled trigger. */
export const isSpokenFor = (table: CatalogTable, options: Given): boolean =>
  triggersOf(options).some(
    (trigger) => formatTable(trigger) === keyOf(table) && trigger.whole && trigger.enabled,
  );

const nameFor = ({ source }: TrackingConfig): string => `${source.publication}_session`;

const triggersOf = ({ config, catalog }: Given): Catalog['sessionTriggers'] =>
  catalog.sessionTriggers.filter((trigger) => trigger.function === nameFor(config));

const functionOf = ({ config, catalog }: Given): CatalogSessionFunction | undefined =>
  catalog.sessionFunctions.find(({ name }) => name === nameFor(config));

function functionSteps(options: Given): readonly PlanStep[] {
  const existing = functionOf(options);
  const { sql, source } = sessionScript(options.config);
  if (existing?.privileged === true && existing.source === source) return [];
  return [
    {
      kind: 'session_function',
      tables: [],
      sql,
      reason:
        existing === undefined
          ? 'writes into the WAL who is connected, and whom the settings of the session name'
          : 'it differs from what this YAML and this release need',
      optional: true,
    },
  ];
}

function triggerStep(table: CatalogTable, { config }: Given): PlanStep {
  const name = quoteIdentifier(nameFor(config));
  const on = quoteTable(table.schema, table.name);
  return {
    kind: 'session_trigger',
    tables: [keyOf(table)],
    // This also enables a disabled trigger. Unlike a drop, it blocks writers only.
    sql: [
      `create or replace trigger ${name} before insert or update or delete or truncate on ${on}`,
      `  for each statement execute function ${SCHEMA}.${name}()`,
    ].join('\n'),
    reason: 'it reports which session changes the table',
    optional: true,
  };
}

const removeStep = (trigger: CatalogSessionTrigger): PlanStep => ({
  kind: 'session_trigger_remove',
  tables: [formatTable(trigger)],
  sql: removeSql(trigger),
  reason: 'the table is no longer tracked',
  optional: true,
});

const removeSql = ({ schema, table, name }: CatalogSessionTrigger): string =>
  `drop trigger ${quoteIdentifier(name)} on ${quoteTable(schema, table)}`;

const leftWarning = (trigger: CatalogSessionTrigger): string =>
  `${formatTable(trigger)} is no longer tracked, and only its owner may drop the session trigger. Run as the owner: ${removeSql(trigger)};`;

const noPrivilege = (table: CatalogTable, role: string): PlanProblem => ({
  code: 'SOURCE_PRIVILEGE',
  message: `Role ${role} may not create the session trigger on ${keyOf(table)}, so the sessions that change this table are unknown.`,
  remedy: `Let the owner of the table run: grant usage on schema ${quoteIdentifier(table.schema)} to ${quoteIdentifier(role)}; grant trigger on ${quoteTable(table.schema, table.name)} to ${quoteIdentifier(role)}; Then run waltrail apply.`,
  tables: [keyOf(table)],
  effect: 'modifiers unknown',
});

/**
 * Warns if the function's owner may not emit logical messages. The function then does nothing, so that the
 * application can still write.
 */
function emitWarnings(options: Given): string[] {
  const existing = functionOf(options);
  if (existing === undefined || existing.mayEmit) return [];
  return [
    `The owner of function ${SCHEMA}.${nameFor(options.config)}, ${existing.owner}, may not emit logical messages, so sessions name nobody. ` +
      options.catalog.messageFunctions
        .filter(({ signature }) => signature.includes(', text, text'))
        .map(
          ({ signature }) =>
            `Run: grant execute on function ${signature} to ${quoteIdentifier(existing.owner)};`,
        )
        .join(' '),
  ];
}

let template: string | undefined;

/**
 * Returns sql/source/session-trigger.sql for one YAML, without its last semicolon, and the body of its
 * function.
 */
function sessionScript(config: TrackingConfig): { readonly sql: string; readonly source: string } {
  template ??= readFileSync(TEMPLATE, 'utf8').trimEnd();
  const { publication } = config.source;
  const names = [...new Set(config.session!.settings.map(({ setting }) => setting))];
  const read = (name: string): string =>
    `${quoteLiteral(name)}, pg_catalog.left(pg_catalog.current_setting(${quoteLiteral(name)}, true), ${MAX_SETTING_CHARACTERS + 1})`;
  const words: Readonly<Record<string, string>> = {
    session: quoteIdentifier(nameFor(config)),
    settings: names.map((name) => `,\n    ${read(name)}`).join(''),
    said: quoteLiteral(`waltrail.said_${publication}`),
    publication: quoteLiteral(publication),
    comment: quoteLiteral('Waltrail: says in the WAL whose session changes rows'),
  };
  const word = new RegExp(`(?<!:):(${Object.keys(words).join('|')})\\b`, 'g');
  const sql = template.replaceAll(word, (_, name: string) => words[name]!);
  return { sql, source: /\$waltrail\$([^]*)\$waltrail\$/.exec(sql)![1]! };
}
