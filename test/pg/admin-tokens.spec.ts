import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { findToken } from '../../src/admin/auth/tokens.js';
import { waltrail, type CommandResult } from '../support/command.ts';
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
  const { code, output, errors } = await tokenCommand(url, ...args);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return output;
}

const tokenCommand = (url: string, ...args: string[]): Promise<CommandResult> =>
  // Tokens belong to the trail. The source is never asked, and does not exist here.
  waltrail(['token', ...args], {
    WALTRAIL_SOURCE_URL: 'postgres://nobody@127.0.0.1:1/none',
    WALTRAIL_TRAIL_URL: url,
  });

describe('waltrail token', () => {
  test('create prints a token that works, and stores only its hash', async () => {
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

  test('create works before the first start, on an empty database, and names what it cannot reach', async () => {
    await using fresh = await freshDatabase('empty');
    expect(await waltrailTokenOf(fresh.url, 'create', '--name', 'first')).toMatch(/^wt_/);
    const refused = await tokenCommand(
      'postgres://x:secret@127.0.0.1:1/x',
      'create',
      '--name',
      'x',
      '--json',
    );
    expect(refused).toMatchObject({ code: 1, output: '', errors: expect.not.stringContaining('secret') });
    expect(JSON.parse(refused.errors)).toMatchObject({ error: { code: 'PG_UNREACHABLE' } });
  });

  test('create makes viewers by default, tokens that expire, and sign-in codes that are no tokens', async () => {
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
    expect(await tokenCommand(trail.url, 'revoke', 'leaver')).toEqual({
      code: 1,
      output: '',
      errors:
        'waltrail: There is no valid token named "leaver". Use a name that waltrail token list shows.\n',
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
    [['create', 'x', '--name', 'x']],
  ])('%j is refused before any database is asked', async (args) => {
    const { code, errors } = await tokenCommand('postgres://127.0.0.1:1/x', ...args);
    expect(code).toBe(2);
    expect(errors).toMatch(/^waltrail: .*--help/);
  });

  test('prints its usage', async () => {
    const { output } = await tokenCommand(trail.url, '--help');
    expect(output).toContain('token create');
    expect(await waltrailToken('create', '--help')).toContain('Usage: waltrail token create --name NAME');
  });

  test('prints the same as data with --json', async () => {
    const { token } = JSON.parse(await waltrailToken('create', '--name', 'data', '--json')) as {
      token: string;
    };
    expect(await findToken(pool, token)).toMatchObject({ name: 'data' });
    const { tokens } = JSON.parse(await waltrailToken('list', '--json')) as { tokens: unknown[] };
    expect(tokens).toContainEqual(expect.objectContaining({ name: 'data', role: 'viewer', state: 'valid' }));
    expect(JSON.parse(await waltrailToken('revoke', 'data', '--json'))).toEqual({ revoked: 1 });
  });

  test('finds the embedded trail through run.json, and reports when there is none', async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'waltrail-token-'));
    const run = () => waltrail(['token', 'list', '--json'], { WALTRAIL_DATA_DIR: dataDir });
    expect(await run()).toMatchObject({ code: 1, errors: expect.stringContaining('SETTINGS_INVALID') });
    await writeFile(path.join(dataDir, 'run.json'), JSON.stringify({ trailUrl: trail.url }));
    expect(await run()).toMatchObject({ code: 0, errors: '' });
    await rm(dataDir, { recursive: true });
  });
});
