import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import XLSX from '@e965/xlsx';
import { addressOf } from '../support/daemon.ts';
import { freshDatabase } from '../support/database.ts';
import { caller, firstNote, notesGround, untilReady } from '../support/notes.ts';
import { redisBinary, startRedis } from '../support/redis.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/cli/cli.js');

describe('roles in separate processes', () => {
  (redisBinary === undefined ? test.skip : test)(
    'one captures, one serves the API, one makes exports, and an export passes through all of them over one Redis',
    async () => {
      await using trail = await freshDatabase('trail');
      await using redis = await startRedis();
      await using ground = await notesGround({ trail, environment: { REDIS_URL: redis.url } });
      const { source, daemons } = ground;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [CLI, 'token', 'create', '--name', 'test', '--role', 'admin'],
        { env: { PATH: process.env.PATH, WALTRAIL_SOURCE_URL: source.url, WALTRAIL_TRAIL_URL: trail.url } },
      );
      const token = /wt_\S+/.exec(stdout)![0];

      daemons.start(['--roles', 'capture', '--port', '0']);
      const api = daemons.start(['--roles', 'api', '--port', '0']);
      const call = caller(await addressOf(api), token);
      await firstNote({ source, trail, call, body: '=SUM(A1)' });

      const created = await call('/v1/exports', { method: 'POST', body: '{}' });
      expect(created.status).toBe(202);
      const { id } = (await created.json()) as { id: string };
      // No process makes exports yet: the job waits in Redis.
      expect(((await (await call(`/v1/exports/${id}`)).json()) as { state: string }).state).toBe('queued');
      daemons.start(['--roles', 'exports', '--port', '0']);
      await untilReady(call, id);

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
