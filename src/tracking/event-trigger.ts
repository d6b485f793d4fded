import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { Catalog } from './catalog.js';
import type { Findings, PlanStep } from './findings.js';
import { REPORTING, TRIGGER_SCHEMA as SCHEMA } from './reports.js';
import type { TrackingConfig } from './rules.js';

const TEMPLATE = new URL('../../sql/source/event-trigger.sql', import.meta.url);

/**
 * Names of the trigger and its functions are made of the publication's: a database may have several of them.
 */
export const MAX_PUBLICATION_WITH_TRIGGER = 50;

/** Ends of the names of event triggers and of functions, behind the publication's name. */
const TRIGGERS = ['follow', ...REPORTING] as const;
const FUNCTIONS = ['follow', 'leave', 'identity', 'report'] as const;
/** Of the function of session-trigger.ts, which may be there or not. */
const SESSION = 'session';

let template: string | undefined;

/**
 * Installs, renews or removes the event triggers that keep published tables writable and report commands, as
 * the YAML says.
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
          ? 'replica identities follow the migrations of the application, so that PostgreSQL never refuses its writes, and commands of which no row tells are reported'
          : 'the YAML does not ask for the event triggers any more',
        optional: true,
      },
    ],
    problems: [],
    warnings: role.superuser
      ? []
      : [
          `Only a superuser may ${wanted ? 'create' : 'drop'} an event trigger, and role ${role.name} is none: let a superuser run that step, ` +
            'or run waltrail apply with a source.url of one.',
        ],
  };
}

/** Removes the event triggers of a publication, where they are installed. */
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

/** The event triggers of the publication that are there. */
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
 * sql/source/event-trigger.sql for one publication, without its last semicolon, and the comment that tells
 * that it is installed.
 */
function eventTriggerScript(publication: string): { readonly sql: string; readonly comment: string } {
  template ??= readFileSync(TEMPLATE, 'utf8').trimEnd();
  // Another text makes another comment, so the trigger is renewed when the script changes.
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
    // Stays for the trigger of another publication.
    `do $$ begin drop schema ${SCHEMA}; exception when dependent_objects_still_exist then null; end $$`,
  ].join('\n');
}
