import type pg from 'pg';
import { withClient } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { trailError } from '../trail/trail-error.js';
import { loadOwnConfig } from './config.js';

/**
 * Connects to the trail of the YAML for as long as `work` lasts. Throws PG_UNREACHABLE, PG_REFUSED and what
 * loading the YAML throws. Errors of `work` are translated to those of the trail.
 */
export async function withTrail<T>(
  settings: Settings,
  options: { readonly purpose: string; readonly work: (client: pg.Client) => Promise<T> },
): Promise<T> {
  const config = loadOwnConfig(settings);
  return withClient({ url: config.trail.url, side: 'trail', purpose: options.purpose }, (client) =>
    options.work(client).catch((error: unknown) => {
      throw trailError(error);
    }),
  );
}
