import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import XLSX from '@e965/xlsx';
import { applyTracking, testConfig } from '../support/capture.ts';
import { addressOf, daemonGround } from '../support/daemon.ts';
import { freshDatabase } from '../support/database.ts';
import { redisBinary, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/cli/cli.js');
const TABLES = `tables: { public.notes: { entity: note, name: "{body}", modifier: author } }`;

describe('roles in processes of their own', () => {
  (redisBinary === undefined ? test.skip : test)(
    'one captures, one serves the API, one makes exports, and an export passes through all of them over one Redis',
    async () => {
      await using source = await freshDatabase('empty');
      await using trail = await freshDatabase('trail');
      await using redis = await startRedis();
      await source.query('create table notes (id int primary key, body text, author text)');
      await applyTracking(testConfig({ source, trail, yaml: TABLES }));
      await using daemons = await daemonGround({
        sourceUrl: source.url,
        trailUrl: trail.url,
        environment: { REDIS_URL: redis.url },
        yaml: `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${TABLES}`,
      });
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [CLI, 'token', 'create', '--name', 'test', '--role', 'admin'],
        { env: { PATH: process.env.PATH, WALTRAIL_SOURCE_URL: source.url, WALTRAIL_TRAIL_URL: trail.url } },
      );
      const token = /wt_\S+/.exec(stdout)![0];

      daemons.start(['--roles', 'capture', '--port', '0']);
      const api = daemons.start(['--roles', 'api', '--port', '0']);
      const base = await addressOf(api);
      const call = (route: string, init: RequestInit = {}): Promise<Response> =>
        fetch(`${base}${route}`, {
          ...init,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        });

      // A change before the trail begins would not be the daemon's to have.
      await until(
        'the trail to begin',
        async () => (await trail.query('select from trail.checkpoint')).length === 1,
      );
      await source.query(`insert into notes values (1, '=SUM(A1)', 'Dana')`);
      await until(
        'the entry in the API',
        async () => ((await (await call('/v1/entries')).json()) as { items: unknown[] }).items.length === 1,
      );

      const created = await call('/v1/exports', { method: 'POST', body: '{}' });
      expect(created.status).toBe(202);
      const { id } = (await created.json()) as { id: string };
      // Nobody makes exports yet: the job waits in Redis.
      expect(((await (await call(`/v1/exports/${id}`)).json()) as { state: string }).state).toBe('queued');
      daemons.start(['--roles', 'exports', '--port', '0']);
      await until(
        'the export',
        async () => ((await (await call(`/v1/exports/${id}`)).json()) as { state: string }).state === 'ready',
      );

      const file = await call(`/v1/exports/${id}/file`);
      const book = XLSX.read(Buffer.from(await file.arrayBuffer()));
      const rows = XLSX.utils.sheet_to_json<string[]>(book.Sheets[book.SheetNames.at(-1)!]!, { header: 1 });
      expect(rows[1]!.slice(0, 4)).toEqual(['Dana', 'add', 'note', '=SUM(A1)']);

      const status = (await (await call('/v1/status')).json()) as { roles: string[]; capture: unknown };
      expect(status.roles).toEqual(['api']);
      expect(status.capture).toBeNull();
    },
  );
});
