import type pg from 'pg';
import type { Log } from '../log.js';
import { formatLsn } from '../pg/lsn.js';
import { readCatalog, type Catalog } from '../tracking/catalog.js';
import { documentDifference, restoreConfig } from '../tracking/configuration.js';
import { isPrepared, sameTables, trackedKeys } from '../tracking/configuration-tables.js';
import { readPublished, type PublishedAtLsn, type PublishedState } from '../tracking/published.js';
import { isWanted, type TrackingNote } from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readCheckpoint, type Checkpoint } from '../trail/write/checkpoint.js';
import { adoptConfiguration, readConfiguration, type Adoption } from '../trail/write/configuration.js';
import { readStoredPublished, recordTracking, storePublished } from '../trail/write/gaps.js';
import { trailError } from '../trail/trail-error.js';
import type { FollowedConfiguration } from './followed-configuration.js';
import { onSource, type SourceAccess } from './source-state.js';

interface ChoosingOptions extends SourceAccess {
  /** A connection that won the election and is in no transaction. */
  readonly client: pg.Client;
  readonly log: Log;
  readonly checkpoint: Checkpoint;
  readonly followed: FollowedConfiguration;
}

/** The configuration that a session works with, and the one that follows it. */
export interface Chosen {
  readonly config: TrackingConfig;
  /**
   * The configuration of the file, if it comes into effect at a later position of the stream; null: it is in
   * effect.
   */
  readonly pending: TrackingConfig | null;
  readonly checkpoint: Checkpoint;
}

/**
 * Decides which configuration a session works with. This is the configuration of the checkpoint, until the
 * position that `apply` has marked in the WAL with the digest of the file. A file that needs nothing applied
 * comes into effect at once. A message with any other digest changes nothing, because an old one would bring
 * back weaker redaction.
 */
export async function chooseConfiguration(options: ChoosingOptions): Promise<Chosen> {
  const { client, checkpoint } = options;
  const { announced, asked } = options.followed;
  const stored = await readConfiguration(client);
  const old = stored === undefined ? undefined : restoreConfig(stored.document, options.config);
  // An earlier version of Waltrail did not store the configuration; that of a later version may not be
  // readable here.
  if (stored === undefined || old === undefined) return adopt(options, { old: null, how: asked.how });
  const config = await fileToFollow(options, old);
  if (config.definition.digest === stored.digest) return { config, pending: null, checkpoint };
  const adopting = { ...options, config };
  if (announced?.digest === config.definition.digest && checkpoint.endLsn >= announced.afterLsn)
    return adopt(adopting, { old, how: announced.how });
  const catalog = await onSource(options, readCatalog);
  if (sameTables(old, config, catalog)) return adopt(adopting, { old, how: asked.how });
  return { config: old, pending: config, checkpoint };
}

/** Stores the first configuration of a trail that has just begun. */
export async function adoptFirst(
  client: pg.Client,
  { config, checkpoint }: { readonly config: TrackingConfig; readonly checkpoint: Checkpoint },
): Promise<void> {
  await adoptConfiguration(client, {
    ...config.definition,
    lsn: checkpoint.endLsn,
    how: 'start',
    askedBy: null,
    difference: documentDifference(null, config.definition.document),
  });
}

/**
 * Returns the file as it was loaded. If somebody has changed and applied it without telling the daemon,
 * returns the file as it is now.
 */
async function fileToFollow(options: ChoosingOptions, old: TrackingConfig): Promise<TrackingConfig> {
  const { config, followed } = options;
  const file = followed.readFile();
  if (file === undefined || file.definition.digest === config.definition.digest) return config;
  if (file.definition.digest !== followed.announced?.digest) {
    const catalog = await onSource(options, readCatalog);
    if (sameTables(old, file, catalog) || !isPrepared({ config: file, catalog })) return config;
  }
  followed.take(file);
  return file;
}

async function adopt(
  options: ChoosingOptions,
  { old, how }: { readonly old: TrackingConfig | null; readonly how: Adoption },
): Promise<Chosen> {
  const { client, config, checkpoint, log } = options;
  const { asked } = options.followed;
  const lsn = checkpoint.endLsn;
  const { catalog, published } = await onSource(options, async (source) => ({
    catalog: await readCatalog(source),
    published: await readPublished(source, config.source.publication),
  }));
  const last = (await readStoredPublished(client)) as PublishedAtLsn | undefined;
  const notes = old === null ? [] : trackingNotes({ old, config, catalog });
  try {
    await client.query('begin');
    await adoptConfiguration(client, {
      ...config.definition,
      lsn,
      how,
      askedBy: how === asked.how ? asked.by : null,
      difference: documentDifference(old?.definition.document ?? null, config.definition.document),
    });
    for (const note of notes) await recordTracking(client, { ...note, lsn });
    // `apply` locks the tables that it adds to the publication. Their changes are sent from this position, so
    // there is no gap.
    if (old !== null && last !== undefined && how === 'apply')
      await storePublished(client, {
        ...last,
        state: withEntered({ last: last.state, now: published, old, config }),
      });
    await client.query('commit');
  } catch (error) {
    throw trailError(error);
  }
  log.info(
    { digest: config.definition.digest, lsn: formatLsn(lsn), how },
    'Capture now works with another configuration.',
  );
  return { config, pending: null, checkpoint: (await readCheckpoint(client, config.source.name))! };
}

/** Returns a note for each table that becomes tracked or is no longer tracked. */
function trackingNotes(options: {
  readonly old: TrackingConfig;
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): TrackingNote[] {
  const [before, after] = [options.old, options.config].map((config) => trackedKeys(config, options.catalog));
  const note = (subject: string, tracked: boolean): TrackingNote => ({
    subject,
    before: tracked ? 'not tracked' : 'tracked',
    after: tracked ? 'tracked' : 'not tracked',
  });
  return [
    ...[...after!].filter((key) => !before!.has(key)).map((key) => note(key, true)),
    ...[...before!].filter((key) => !after!.has(key)).map((key) => note(key, false)),
  ];
}

function withEntered(options: {
  readonly last: PublishedState;
  readonly now: PublishedState;
  readonly old: TrackingConfig;
  readonly config: TrackingConfig;
}): PublishedState {
  const { last, now, old, config } = options;
  const entered = Object.entries(now.tables).filter(
    ([oid, table]) => last.tables[oid] === undefined && isWanted(config, table) && !isWanted(old, table),
  );
  return { ...last, tables: { ...last.tables, ...Object.fromEntries(entered) } };
}
