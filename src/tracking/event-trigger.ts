import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { Catalog } from './catalog.js';
import type { Findings, PlanStep } from './findings.js';
import type { TrackingConfig } from './rules.js';

/**
 * Where the trigger's functions are on the source. Not `waltrail`: a role of that name would make its tables
 * there.
 */
const SCHEMA = 'waltrail_source';

const TEMPLATE = new URL('../../sql/source/event-trigger.sql', import.meta.url);

/**
 * Names of the trigger and its functions are made of the publication's: a database may have several of them.
 */
export const MAX_PUBLICATION_WITH_TRIGGER = 50;

let template: string | undefined;

/** Installs, renews or removes the event trigger that keeps published tables writable, as the YAML says. */
export function planEventTrigger(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): Findings & { readonly steps: readonly PlanStep[] } {
  const { publication, eventTrigger: wanted } = options.config.source;
  const { eventTriggers, role } = options.catalog;
  const name = triggerName(publication);
  const found = eventTriggers.find((trigger) => trigger.name === name && trigger.schema === SCHEMA);
  const { sql, comment } = eventTriggerScript(publication);
  if (wanted ? found?.always === true && found.comment === comment : found === undefined)
    return { steps: [], problems: [], warnings: [] };
  return {
    steps: [
      {
        kind: 'event_trigger',
        tables: [],
        sql: wanted ? sql : dropSql(publication),
        reason: wanted
          ? 'replica identities follow the migrations of the application, so that PostgreSQL never refuses its writes'
          : 'the YAML does not ask for the event trigger any more',
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
    event_trigger: quoteIdentifier(triggerName(publication)),
    publication: quoteLiteral(publication),
    follow: quoteIdentifier(`${publication}_follow`),
    leave: quoteIdentifier(`${publication}_leave`),
    identity: quoteIdentifier(`${publication}_identity`),
    comment: quoteLiteral(comment),
  };
  const sql = template.replaceAll(
    /(?<!:):(event_trigger|publication|follow|leave|identity|comment)\b/g,
    (_, word: string) => words[word]!,
  );
  return { sql, comment };
}

const triggerName = (publication: string): string => `${publication}_follow`;

function dropSql(publication: string): string {
  const function_ = (name: string): string => `${SCHEMA}.${quoteIdentifier(`${publication}_${name}`)}`;
  return [
    `drop event trigger ${quoteIdentifier(triggerName(publication))};`,
    `drop function ${function_('follow')}(), ${function_('leave')}(oid), ${function_('identity')}(oid);`,
    // Stays for the trigger of another publication.
    `do $$ begin drop schema ${SCHEMA}; exception when dependent_objects_still_exist then null; end $$`,
  ].join('\n');
}
