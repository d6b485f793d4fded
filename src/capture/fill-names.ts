import type pg from 'pg';
import type { Log } from '../log.js';
import { lookupName, nameRules, tablesByLookup } from '../tracking/lookups.js';
import type { PublishedState } from '../tracking/published.js';
import { ruleText } from '../tracking/rule-text.js';
import { storeNames, type Checkpoint } from '../trail/write/checkpoint.js';
import { readNamesRead, rememberNamesRead } from '../trail/write/configuration.js';
import { trailError } from '../trail/trail-error.js';
import type { SourceAccess } from './source-state.js';
import { readStartNames } from './start-names.js';

export interface FillNamesOptions extends SourceAccess {
  /** A connection that won the election and is in no transaction. */
  readonly client: pg.Client;
  readonly log: Log;
  readonly redactionKey: Buffer;
  readonly checkpoint: Checkpoint;
  /** The last look. It has the former names of renamed columns, which decide how they are redacted. */
  readonly published: PublishedState;
  /**
   * The rule with which this process last tried to read a table, by `lookupName`. A table that cannot be read
   * is tried once for each rule, not in each session.
   */
  readonly tried: Map<string, string>;
}

/**
 * Reads the names of lookup tables whose rules are new or have changed since their rows were read. Also reads
 * tables that could not be read or followed, because the stream brings a name only with a change of its row.
 * The names are read in one snapshot, as of now, and stored for the entries after the checkpoint.
 */
export async function fillNames(options: FillNamesOptions): Promise<void> {
  const { client, config, checkpoint, tried } = options;
  const all = nameRules(config);
  const known = await readNamesRead(client, tablesByLookup(config));
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
