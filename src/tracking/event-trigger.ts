import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { Catalog } from './catalog.js';
import type { Findings, PlanStep } from './findings.js';
import { REPORTING, TRIGGER_SCHEMA as SCHEMA } from './reports.js';
import type { TrackingConfig } from './rules.js';

const TEMPLATE = new URL('../../sql/source/event-trigger.sql', import.meta.url);

/**
 * The longest publication name with event triggers. Names of triggers and functions begin with it, because a
 * database may have several publications.
 */
export const MAX_PUBLICATION_WITH_TRIGGER = 50;

/** Suffixes of the names of event triggers and functions, after the publication's name. */
const TRIGGERS = ['follow', ...REPORTING] as const;
const FUNCTIONS = ['follow', 'leave', 'identity', 'report'] as const;
/** Suffix of the function of session-trigger.ts, which may not exist. */
const SESSION = 'session';

let template: string | undefined;

/**
 * Plans to install, replace or remove the event triggers, as the YAML asks. They keep published tables
 * writable and report commands.
 */
export function planEventTrigger(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): Findings & { readonly steps: readonly PlanStep[] } {
  const { publication, eventTrigger: wanted } = options.config.source;
  const { role } = options.catalog;
  const found = installed(options);
  const { sql, comment } = eventTriggerScript(publication);
  const isWhole = found.length === TRIGGERS.length && found.every(({ always }) => always);
  if (wanted ? isWhole && found.some((trigger) => trigger.comment === comment) : found.length === 0)
    return { steps: [], problems: [], warnings: [] };
  return {
    steps: [
      {
        kind: 'event_trigger',
        tables: [],
        sql: wanted ? sql : dropSql(publication),
        reason: wanted
          ? 'it adapts replica identities to migrations of the application, so that PostgreSQL never refuses its writes, and reports commands that send no row'
          : 'the YAML no longer asks for the event triggers',
        optional: true,
      },
    ],
    problems: [],
    warnings: role.superuser
      ? []
      : [
          `Only a superuser may ${wanted ? 'create' : 'drop'} an event trigger, and role ${role.name} is not a superuser. Let a superuser run that step, ` +
            'or run waltrail apply with a superuser in source.url.',
        ],
  };
}

/** Steps that remove the event triggers of a publication, if installed. */
export const removeEventTrigger = (options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): readonly PlanStep[] =>
  installed(options).length === 0
    ? []
    : [
        {
          kind: 'event_trigger',
          tables: [],
          sql: dropSql(options.config.source.publication),
          reason: 'apply installed them',
          optional: false,
        },
      ];

/** The installed event triggers of the publication. */
function installed({
  config: { source },
  catalog,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): Catalog['eventTriggers'] {
  const names = TRIGGERS.map((kind) => `${source.publication}_${kind}`);
  return catalog.eventTriggers.filter(({ name, schema }) => schema === SCHEMA && names.includes(name));
}

/**
 * Returns sql/source/event-trigger.sql for one publication, without its last semicolon. `comment` identifies
 * this version of the script on an installed trigger.
 */
function eventTriggerScript(publication: string): { readonly sql: string; readonly comment: string } {
  template ??= readFileSync(TEMPLATE, 'utf8').trimEnd();
  // The comment contains a digest of the script, so a changed script replaces the trigger.
  const digest = createHash('sha256').update(template).digest('hex').slice(0, 16);
  const comment = `Waltrail: keeps published tables writable (${digest})`;
  const words: Readonly<Record<string, string>> = {
    ...Object.fromEntries(
      [...TRIGGERS, ...FUNCTIONS, SESSION].map((name) => [name, quoteIdentifier(`${publication}_${name}`)]),
    ),
    event_trigger: quoteIdentifier(`${publication}_follow`),
    publication: quoteLiteral(publication),
    comment: quoteLiteral(comment),
  };
  const word = new RegExp(`(?<!:):(${Object.keys(words).join('|')})\\b`, 'g');
  const sql = template.replaceAll(word, (_, name: string) => words[name]!);
  return { sql, comment };
}

function dropSql(publication: string): string {
  const function_ = (name: string): string => `${SCHEMA}.${quoteIdentifier(`${publication}_${name}`)}`;
  return [
    ...TRIGGERS.map((name) => `drop event trigger if exists ${quoteIdentifier(`${publication}_${name}`)};`),
    `drop function if exists ${function_('follow')}(), ${function_('leave')}(oid), ${function_('identity')}(oid), ${function_('report')}();`,
    // The schema stays if another publication has triggers in it.
    `do $$ begin drop schema ${SCHEMA}; exception when dependent_objects_still_exist then null; end $$`,
  ].join('\n');
}
