import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { COMMANDS } from '../../src/cli/commands.js';
import { waltrail } from '../support/command.ts';

describe('the command line', () => {
  test('lists every command', async () => {
    const { code, output } = await waltrail(['--help']);
    expect(code).toBe(0);
    for (const name of Object.keys(COMMANDS)) expect(output).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(await waltrail([])).toMatchObject({ code: 2, output });
  });

  test.each(Object.keys(COMMANDS))(
    'waltrail %s --help prints the usage, whatever the environment is',
    async (name) => {
      const { code, output, errors } = await waltrail([...name.split(' '), '--help'], {
        WALTRAIL_PORT: 'wrong',
      });
      expect({ code, errors }).toEqual({ code: 0, errors: '' });
      expect(output).toContain(`waltrail ${name}: ${COMMANDS[name]!.summary}\n\nUsage: waltrail ${name}`);
      for (const option of Object.keys((await COMMANDS[name]!.load()).options))
        expect(output).toContain(`--${option}`);
    },
  );

  test.each(Object.keys(COMMANDS))('waltrail %s refuses an unknown option', async (name) => {
    const { code, output, errors } = await waltrail([...name.split(' '), '--nonsense']);
    expect({ code, output }).toEqual({ code: 2, output: '' });
    expect(errors).toContain(`waltrail ${name}: Unknown option '--nonsense'.`);
  });

  test.each([
    [['nonsense'], '"nonsense" is not a command. Run `waltrail --help`'],
    [['token', 'remove'], '"token remove" is not a command. Run `waltrail token --help`'],
    [['constructor'], '"constructor" is not a command'],
    [['plan', 'all'], 'unknown argument "all"'],
    [['token', 'revoke'], 'takes one argument: NAME'],
    [['start', '--port', '70000'], '--port must be a number from 0 to 65535'],
    [['start', '--roles', 'capture,all'], '"all" is not one of capture, api, exports'],
    [['start', '--json'], "Unknown option '--json'"],
  ])('refuses %j', async (words, message) => {
    const { code, errors } = await waltrail(words);
    expect(code).toBe(2);
    expect(errors).toContain(message);
  });

  test('asks for WALTRAIL_CONFIG if the database is not the sample, as text or as JSON', async () => {
    const urls = { WALTRAIL_SOURCE_URL: 'postgres://a/b', WALTRAIL_TRAIL_URL: 'postgres://a/c' };
    for (const command of ['start', 'plan', 'apply', 'gaps', 'skip']) {
      const { code, errors } = await waltrail([command], urls);
      expect(code).toBe(1);
      expect(errors).toMatch(/^waltrail: WALTRAIL_CONFIG is not set.*config\/sample\.yaml/);
    }
    const { errors } = await waltrail(['plan', '--json'], urls);
    expect(JSON.parse(errors)).toEqual({
      error: { code: 'SETTINGS_INVALID', message: expect.any(String), remedy: expect.any(String) },
    });
  });

  test('beside a running sample, says how to address it, without its passwords', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-cli-'));
    try {
      const run = { sourceUrl: 'postgres://u:s3cret@h/crm', trailUrl: 'postgres://u:s3cret@h/trail' };
      await writeFile(path.join(folder, 'run.json'), JSON.stringify(run));
      const urls = { WALTRAIL_SOURCE_URL: run.sourceUrl, WALTRAIL_TRAIL_URL: run.trailUrl };
      for (const command of ['gaps', 'status', 'doctor', 'plan']) {
        const { code, errors } = await waltrail([command], { WALTRAIL_DATA_DIR: folder });
        expect(code).toBe(1);
        expect(errors).toContain(`sourceUrl and trailUrl of ${path.join(folder, 'run.json')}`);
        expect(errors).not.toContain('s3cret');
        const own = await waltrail([command], { ...urls, WALTRAIL_DATA_DIR: folder });
        expect(own.errors).toContain('You can start from a copy of config/sample.yaml');
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('ends what is wrong with a full stop before the remedy begins', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-cli-'));
    try {
      const file = path.join(folder, 'w.yaml');
      await writeFile(file, 'source: [\n');
      const { errors } = await waltrail(['plan'], {
        WALTRAIL_SOURCE_URL: 'postgres://a/b',
        WALTRAIL_TRAIL_URL: 'postgres://a/c',
        WALTRAIL_CONFIG: file,
      });
      expect(errors).toMatch(/[^.]\. Correct the named places\./);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
