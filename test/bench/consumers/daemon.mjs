/** Runs the API and exports on a trail, as `waltrail start --roles api,exports`. Reports its address. */
import { silentLog } from '../../../dist/log.js';
import { startDaemon } from '../../../dist/main.js';
import { readSettings } from '../../../dist/settings.js';
import { parseConfig } from '../../../dist/tracking/load.js';

process.once('message', async ({ url, dataDir }) => {
  const daemon = await startDaemon({
    settings: readSettings({ WALTRAIL_PORT: '0', WALTRAIL_DATA_DIR: dataDir }),
    config: parseConfig({
      file: 'bench.yaml',
      environment: {},
      text: `
source: { name: crm, url: "postgres://nobody@127.0.0.1:1/none" }
trail: { url: "${url}" }
tables: { public.customers: { entity: customer } }`,
    }),
    roles: ['api', 'exports'],
    log: silentLog,
  });
  process.send({ address: daemon.url });
  process.once('disconnect', async () => {
    await daemon.stop();
    process.exit();
  });
});
