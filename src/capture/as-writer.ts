import type pg from 'pg';
import { withClient } from '../pg/connect.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { takeRole, urlOf } from '../trail/roles.js';

/** Time limit of a statement. If a gap began long ago, searching for the last entry before it takes long. */
const TRAIL_LIMIT_MS = 30_000;

/** Runs `work` on a separate connection to the trail, with the rights of its writer. */
export const asWriter = <T>(
  { config, signal, purpose }: AsWriterOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> =>
  withClient(
    {
      url: urlOf(config.trail, 'writer'),
      side: 'trail',
      purpose,
      statementTimeoutMs: TRAIL_LIMIT_MS,
      signal,
    },
    async (client) => {
      await takeRole(client, 'waltrail_writer');
      return work(client);
    },
  );

export interface AsWriterOptions {
  readonly config: TrackingConfig;
  readonly signal: AbortSignal;
  readonly purpose: string;
}
