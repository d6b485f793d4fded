import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { tokenCommand } from '../../src/cli/token.js';
import { findToken } from '../../src/admin/auth/tokens.js';
import { readSettings } from '../../src/settings.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

let trail: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  trail = await freshDatabase('trail');
  pool = new pg.Pool({ connectionString: trail.url, max: 2 });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool.end();
  await trail[Symbol.asyncDispose]();
});

const waltrailToken = (...args: string[]): Promise<string> => waltrailTokenOf(trail.url, ...args);

async function waltrailTokenOf(url: string, ...args: string[]): Promise<string> {
  const settings = readSettings({ WALTRAIL_SOURCE_URL: url, WALTRAIL_TRAIL_URL: url });
  let output = '';
  await tokenCommand({ settings, args, write: (text) => (output += text) });
  return output;
}

describe('waltrail token', () => {
  test('create prints a token that works, and only its hash is stored', async () => {
    const secret = (
      await waltrailToken('create', '--name', 'Ada', '--role', 'exporter', '--tenant', 'one')
    ).trim();
    expect(secret).toMatch(/^wt_[\w-]{43}$/);
    expect(await findToken(pool, secret)).toMatchObject({ name: 'Ada', role: 'exporter', tenant: 'one' });
    const stored = await trail.query<{ text: string }>(
      'select string_agg(token::text, chr(10)) as text from trail.token',
    );
    expect(stored[0]!.text).not.toContain(secret.slice(3));
  });

  test('create works before the first start, on an empty database, and says what it cannot reach', async () => {
    await using fresh = await freshDatabase('empty');
    expect(await waltrailTokenOf(fresh.url, 'create', '--name', 'first')).toMatch(/^wt_/);
    await expect(
      waltrailTokenOf('postgres://x:secret@127.0.0.1:1/x', 'create', '--name', 'x'),
    ).rejects.toMatchObject({
      code: 'PG_UNREACHABLE',
      message: expect.not.stringContaining('secret') as unknown,
    });
  });

  test('create makes viewers unless told otherwise, tokens that end, and sign-in codes that are no tokens', async () => {
    const viewer = (await waltrailToken('create', '--name', 'plain')).trim();
    expect(await findToken(pool, viewer)).toMatchObject({ role: 'viewer', tenant: null });
    await waltrailToken('create', '--name', 'ends', '--expires', '30');
    const rows = await trail.query<{ days: number }>(
      `select round(extract(epoch from expires_at - now()) / 86400)::int as days from trail.token where name = 'ends'`,
    );
    expect(rows).toEqual([{ days: 30 }]);
    const code = (await waltrailToken('create', '--name', 'code', '--single-use')).trim();
    expect(await findToken(pool, code)).toBeUndefined();
  });

  test('list shows every token with its state and no secret', async () => {
    const secret = (await waltrailToken('create', '--name', 'listed')).trim();
    const list = await waltrailToken('list');
    expect(list).toMatch(/^NAME +ROLE +TENANT +STATE/);
    expect(list).toMatch(/listed +viewer +\(all\) +valid/);
    expect(list).not.toContain(secret);
  });

  test('revoke ends every token of the name', async () => {
    const first = (await waltrailToken('create', '--name', 'leaver')).trim();
    await waltrailToken('create', '--name', 'leaver');
    expect(await waltrailToken('revoke', 'leaver')).toBe('Revoked 2 tokens named "leaver".\n');
    expect(await findToken(pool, first)).toBeUndefined();
    await expect(waltrailToken('revoke', 'leaver')).rejects.toMatchObject({
      code: 'TOKEN_ARGUMENTS_INVALID',
    });
  });

  test.each([
    [['create']],
    [['create', '--name', ' ']],
    [['create', '--name', 'x', '--role', 'root']],
    [['create', '--name', 'x', '--expires', 'soon']],
    [['create', '--name', 'x', '--expires', '0']],
    [['create', '--name', 'x', '--tenant', '']],
    [['create', '--nmae', 'x']],
    [['list', 'all']],
    [['revoke']],
    [['revoke', '--all']],
    [['remove', 'x']],
  ])('%j is refused before any database is asked', async (args) => {
    const settings = readSettings({
      WALTRAIL_SOURCE_URL: 'postgres://127.0.0.1:1/x',
      WALTRAIL_TRAIL_URL: 'postgres://127.0.0.1:1/x',
    });
    await expect(tokenCommand({ settings, args, write: () => undefined })).rejects.toMatchObject({
      code: 'TOKEN_ARGUMENTS_INVALID',
    });
  });

  test('says how it is used', async () => {
    expect(await waltrailToken()).toContain('waltrail token create --name NAME');
    expect(await waltrailToken('--help')).toBe(await waltrailToken());
  });

  test('finds the embedded trail through run.json, and says so when there is none', async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'waltrail-token-'));
    const settings = readSettings({ WALTRAIL_DATA_DIR: dataDir });
    const run = (): Promise<void> => tokenCommand({ settings, args: ['list'], write: () => undefined });
    await expect(run()).rejects.toMatchObject({ code: 'SETTINGS_INVALID' });
    await writeFile(path.join(dataDir, 'run.json'), JSON.stringify({ trailUrl: trail.url }));
    await run();
    await rm(dataDir, { recursive: true });
  });
});
