import type { Log } from '../log.js';
import { withClient } from '../pg/connect.js';
import { checkTracking } from '../tracking/check.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Boot, Running } from './boot.js';
import { loadOwnConfig } from './config.js';
import { lookAtTrail, refuseFirstTrailInSource } from './trail-look.js';

/**
 * Starts on the user's own servers. It does not prepare the source: a source that `apply` has not prepared is
 * refused.
 */
export async function startOnOwn(boot: Boot): Promise<Running> {
  const { options, settings, log, teardown } = boot;
  const config = loadOwnConfig(settings);
  if (options.roles.includes('capture')) await refuseUnprepared(config, log);
  else await refuseFirstTrailInSource({ trailUrl: config.trail.url, sourceUrl: config.source.url });
  boot.signal.throwIfAborted();
  const { startDaemon } = await import('../main.js');
  const readConfig = (): TrackingConfig => loadOwnConfig(settings);
  const daemon = await startDaemon({ settings, config, readConfig, roles: options.roles, log });
  boot.onReload(daemon);
  teardown.add('daemon', { limitMs: 60_000, stop: () => daemon.stop() });
  boot.say(`waltrail: running at ${daemon.pageUrl} (roles ${options.roles.join(', ')})\n`);
  return { lost: null };
}

async function refuseUnprepared(config: TrackingConfig, log: Log): Promise<void> {
  const { remarks } = await withClient(
    { url: config.source.url, side: 'source', purpose: 'start' },
    async (client) => {
      const look = await lookAtTrail(config, client);
      // Checked before anything is created in the trail.
      if (look.inSource !== null) throw look.inSource;
      return checkTracking(client, look.config);
    },
  );
  for (const remark of remarks) log.warn({ remark }, 'The source could be prepared better.');
}
