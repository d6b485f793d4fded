import type pg from 'pg';
import type { Log } from '../log.js';
import { lookupName, lookupTenant, lookupTenantSteps, nameRules } from '../tracking/lookups.js';
import { ruleFor } from '../tracking/match.js';
import { tableName } from '../tracking/names.js';
import type { PublishedState } from '../tracking/published.js';
import { rulesOf } from '../tracking/redact.js';
import type { NameRule, TrackingConfig } from '../tracking/rules.js';
import { storeNames, type Checkpoint } from '../trail/write/checkpoint.js';
import { readNamesRead, rememberNamesRead } from '../trail/write/configuration.js';
import { trailError } from '../trail/trail-error.js';
import type { SourceAccess } from './source-state.js';
import { readStartNames } from './start-names.js';

export interface FillNamesOptions extends SourceAccess {
  /** Elected, and in no transaction. */
  readonly client: pg.Client;
  readonly log: Log;
  readonly redactionKey: Buffer;
  readonly checkpoint: Checkpoint;
  /** The last look: it knows which columns are redacted under another name. */
  readonly published: PublishedState;
  /**
   * The rule by which this process has tried to read a table, by `lookupName`. One that cannot be read is
   * tried once by each rule, not with each session.
   */
  readonly tried: Map<string, string>;
}

/**
 * Reads the names of lookup tables whose rules are new or have changed since their rows were read, and of
 * those that could not be read or followed: the stream brings a name only with a change of its row. Read in
 * one snapshot, as of now, and stored for the entries from the checkpoint on.
 */
export async function fillNames(options: FillNamesOptions): Promise<void> {
  const { client, config, checkpoint, tried } = options;
  const all = nameRules(config);
  const known = await readNamesRead(client, new Map(all.map((rule) => [lookupName(rule), rule.table])));
  const wanted = all.map(lookupName);
  const rules = all.filter((rule) => {
    const text = ruleText(config, rule);
    return known.get(lookupName(rule)) !== text && tried.get(lookupName(rule)) !== text;
  });
  if (rules.length === 0 && [...known.keys()].every((table) => wanted.includes(table))) return;
  for (const rule of rules) tried.set(lookupName(rule), ruleText(config, rule));
  const read = new Map<string, string>();
  try {
    await client.query('begin');
    await storeNames(client, {
      names: readStartNames({
        ...options,
        snapshot: null,
        rules,
        whole: (rule) => read.set(lookupName(rule), ruleText(config, rule)),
      }),
      fromId: checkpoint.nextId,
    });
    await rememberNamesRead(client, { wanted, read });
    await client.query('commit');
  } catch (error) {
    throw trailError(error);
  }
}

/** What decides the names that are made of a table's rows, and whose readers see them. */
export function ruleText(config: TrackingConfig, rule: NameRule): string {
  const table = tableName(rule.table);
  const tenant = lookupTenant(config, rule);
  const { only = null, except = [] } = ruleFor(config, table) ?? {};
  // Without `except` as before there was one: a text that differs has all rows read again.
  const listed = except.length === 0 ? only : { only, except };
  const steps = lookupTenantSteps(config, rule).map(lookupName);
  const asked = { ...rule, tenant, ...(steps.length === 0 ? {} : { steps }) };
  return JSON.stringify([asked, rulesOf(config, table), config.secrets, listed]);
}
