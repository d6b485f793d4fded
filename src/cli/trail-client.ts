import type pg from 'pg';
import { close, connect } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { trailError } from '../trail/trail-error.js';
import { loadOwnConfig } from './config.js';

/**
 * Connects to the trail of the YAML for as long as `work` lasts. Throws PG_UNREACHABLE, PG_REFUSED, what
 * loading the YAML throws, and errors of `work` as those of the trail.
 */
export async function withTrail<T>(
  settings: Settings,
  options: { readonly purpose: string; readonly work: (client: pg.Client) => Promise<T> },
): Promise<T> {
  const config = await loadOwnConfig(settings);
  const client = await connect({ url: config.trail.url, purpose: options.purpose });
  try {
    return await options.work(client);
  } catch (error) {
    throw trailError(error);
  } finally {
    await close(client);
  }
}
