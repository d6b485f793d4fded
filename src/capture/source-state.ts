import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import { withClient } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { currentLsn } from '../pg/wal.js';
import { identifySource, readSlot } from '../source/slot.js';
import { readPublishedAndFate, type PublishedAtLsn } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Checkpoint } from '../trail/write/checkpoint.js';
import type { SourceState } from './continuity.js';

/** The source to look at, and the signal that cancels the look. */
export interface SourceAccess {
  readonly config: TrackingConfig;
  readonly signal: AbortSignal;
}

/**
 * Reads everything about the source that is compared with the trail. Throws SOURCE_UNSUPPORTED for a standby.
 */
export async function readSourceState(
  options: SourceAccess & {
    readonly checkpoint: Checkpoint;
    readonly lastPublished: PublishedAtLsn | undefined;
  },
): Promise<Omit<SourceState, 'lacksLast'>> {
  const { config, signal, checkpoint, lastPublished } = options;
  const { url, slot, publication } = config.source;
  const seen = await onSource(options, async (client) => {
    const version = await readVersion(client);
    const slotState = await readSlot(client, slot);
    const lsn = await currentLsn(client);
    const last = lastPublished?.state.tables ?? {};
    const { state, fate } = await readPublishedAndFate(client, { publication, last });
    return {
      version,
      slot: slotState,
      published: { state, lsn },
      fate,
      lsn: await currentLsn(client),
    };
  });
  return { ...seen, identity: await identifySource({ url, signal, timeline: checkpoint.timeline }) };
}

/** Runs `work` on a separate connection to the source. */
export async function onSource<T>(
  { config, signal }: SourceAccess,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { url } = config.source;
  return withClient({ url, side: 'source', purpose: 'checks', signal }, (client) =>
    work(client).catch((error: unknown) => {
      throw isWaltrailError(error) ? error : queryError({ url, side: 'source' }, error);
    }),
  );
}

/** Reads `server_version_num`. Refuses a standby, so that its state is never taken for that of the source. */
async function readVersion(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number; standby: boolean }>(
    /* sql */ `select pg_catalog.current_setting('server_version_num')::int4 as version, pg_catalog.pg_is_in_recovery() as standby`,
  );
  if (rows[0]!.standby)
    throw new WaltrailError('SOURCE_UNSUPPORTED', 'The source is a standby.', {
      remedy: 'Point source.url at the primary. If a failover is in progress, capture resumes after it.',
    });
  return rows[0]!.version;
}
