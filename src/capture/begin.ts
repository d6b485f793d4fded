import type pg from 'pg';
import { codeOf, WaltrailError } from '../errors.js';
import type { Lsn } from '../pg/lsn.js';
import { quoteLiteral } from '../pg/quote.js';
import { checkSlotKind, createSlot, identifySource, readSlot, type SystemIdentity } from '../source/slot.js';
import { takeableTables } from '../tracking/baseline.js';
import { lookupName, nameRules } from '../tracking/lookups.js';
import type { PublishedState } from '../tracking/published.js';
import { ruleText } from '../tracking/rule-text.js';
import { readDueBaselines } from '../trail/write/baselines.js';
import { beginTrail, readCheckpoint, type Checkpoint } from '../trail/write/checkpoint.js';
import { isReadable } from './continuity.js';
import type { Opening } from './opening.js';
import type { TakenBaseline } from './placed-baseline.js';
import { readBaseline } from './read-baseline.js';
import type { SourceCatalog } from './source-catalog.js';
import { onSource } from './source-state.js';
import { readStartNames } from './start-names.js';
import { NEW_SLOT, sayWhileWaiting, type WaitingOptions } from './waiting.js';

/**
 * Begins a trail at the first start. Creates a slot and reads the names in its snapshot, or adopts an
 * existing slot at its position. Throws SOURCE_SLOT_FOREIGN for a slot that cannot be used.
 */
export async function begin(
  options: WaitingOptions & {
    /** A connection that won the election and is in no transaction. */
    readonly client: pg.Client;
    readonly redactionKey: Buffer;
    readonly published: PublishedState;
    readonly catalog: SourceCatalog;
    readonly opening: Opening;
  },
): Promise<Begun> {
  const { client, config, opening, signal } = options;
  const { url, name, slot } = config.source;
  const read = new Map<string, string>();
  let taken: TakenBaseline | null = null;
  const beginAt = (at: {
    readonly identity: SystemIdentity;
    readonly startLsn: Lsn;
    readonly snapshot: string | null;
  }) =>
    beginTrail(client, {
      source: name,
      identity: at.identity,
      slot,
      startLsn: at.startLsn,
      names: readStartNames({
        ...options,
        snapshot: at.snapshot,
        whole: (rule) => read.set(lookupName(rule), ruleText(config, rule)),
      }),
      namesRead: { wanted: nameRules(config).map(lookupName), read },
    });
  const state = await opening.step(() => onSource(options, (source) => readSlot(source, slot)));
  if (state === undefined)
    await sayWhileWaiting({ ...options, ...NEW_SLOT }, (made) =>
      createSlot({
        url,
        slot,
        signal,
        begin: async (at) => {
          made();
          await beginAt(at);
          taken = await readExisting(options, at);
        },
      }),
    );
  else {
    checkSlotKind(slot, state);
    if (!isReadable(state))
      throw new WaltrailError(
        'SOURCE_SLOT_FOREIGN',
        `Slot ${slot} already exists on the source and cannot be read from.`,
        {
          remedy: `Drop it on the source: select pg_drop_replication_slot(${quoteLiteral(slot)}); Waltrail then creates it again.`,
        },
      );
    await beginAt({
      identity: await identifySource({ url, signal }),
      startLsn: state.confirmedFlushLsn!,
      snapshot: null,
    });
  }
  options.log.info({ slot }, 'The trail begins.');
  return { checkpoint: (await readCheckpoint(client, name))!, taken };
}

/** A trail that has begun, with its first baselines; null: they are read later, or none is wanted. */
export interface Begun {
  readonly checkpoint: Checkpoint;
  readonly taken: TakenBaseline | null;
}

/**
 * Reads the baselines in the snapshot of the slot, so that they come before the first change. If that fails,
 * they are taken later, as those of tables that are added later.
 */
async function readExisting(
  options: Parameters<typeof begin>[0],
  { startLsn: lsn, snapshot }: { readonly startLsn: Lsn; readonly snapshot: string },
): Promise<TakenBaseline | null> {
  const { client, log, signal } = options;
  const tables = takeableTables(options);
  if (tables.length === 0) return null;
  const { askedAt } = await readDueBaselines(client, { wanted: [], known: [], againMs: 0 });
  try {
    return { lsn, read: await readBaseline({ ...options, tables, snapshot }), askedAt };
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn(
      { code: codeOf(error) },
      'The baseline could not be read with the first snapshot. Waltrail tries again.',
    );
    return null;
  }
}
