import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { applyTracking, testConfig } from '../support/capture.ts';
import { waltrail } from '../support/command.ts';
import { daemonGround, untilStreaming } from '../support/daemon.ts';
import { freshDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const TABLES = `tables: { public.items: { entity: item } }`;
const RENAMED = `tables: { public.items: { entity: thing } }`;
const WITH_PARTS = `tables: { public.items: { entity: item }, public.parts: { entity: part } }`;

/** A file with the default slot. */
const ofSource = (name: string): string => `
source: { name: ${name}, url: "\${WALTRAIL_SOURCE_URL}" }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${TABLES}`;

async function ground() {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  await source.query('create table items (id int primary key); create table parts (id int primary key)');
  await applyTracking(testConfig({ source, trail, yaml: TABLES }));
  const yaml = (tables: string, more = ''): string => `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail${more} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${tables}`;
  const daemons = await daemonGround({ sourceUrl: source.url, trailUrl: trail.url, yaml: yaml(TABLES) });
  const file = path.join(daemons.folder, 'waltrail.yaml');
  const environment = { WALTRAIL_SOURCE_URL: source.url, WALTRAIL_TRAIL_URL: trail.url };
  const run = (config: string, ...words: string[]) =>
    waltrail(words, { ...environment, WALTRAIL_CONFIG: config });
  return {
    source,
    trail,
    daemons,
    file,
    write: (tables: string, more?: string) => writeFile(file, yaml(tables, more)),
    reload: (config = file, ...words: string[]) => run(config, 'reload', ...words),
    apply: () => run(file, 'apply'),
    documents: async () =>
      (await trail.query<{ document: string }>('select document from trail.configuration order by id')).map(
        ({ document }) => document,
      ),
    [Symbol.asyncDispose]: async () => {
      await daemons[Symbol.asyncDispose]();
      await trail[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

test('waltrail reload reports what each daemon has done with its file, and uses nothing of a refused file', async () => {
  await using g = await ground();
  const daemon = g.daemons.start();
  await untilStreaming(daemon);

  await g.write(RENAMED);
  expect(await g.reload()).toEqual({ code: 0, output: expect.stringContaining(':'), errors: '' });
  expect(await g.documents()).toHaveLength(2);

  await g.write('tables: { public.items: { entty: thing } }');
  const invalid = await g.reload();
  expect([invalid.code, invalid.errors]).toEqual([
    1,
    expect.stringMatching(/waltrail\.yaml:4:\d+: .*entty/s),
  ]);

  // The daemon reads its own file, which is still the invalid one.
  const other = path.join(g.daemons.folder, 'other.yaml');
  await writeFile(other, ofSource('test'));
  const refused = await g.reload(other);
  expect([refused.code, refused.output]).toEqual([
    1,
    expect.stringMatching(/TRACKING_FILE_INVALID: .*waltrail\.yaml:4:/s),
  ]);

  await g.write(TABLES, ', on_gap: continue');
  expect((await g.reload()).code).toBe(0);
  await writeFile(g.file, ofSource('other'));
  const restart = await g.reload();
  expect([restart.code, restart.output]).toEqual([
    1,
    expect.stringContaining('TRACKING_NEEDS_RESTART: The file changes source.name'),
  ]);
  expect(daemon.exited).toBe(false);
  expect(await g.documents()).toHaveLength(3);
});

test('SIGHUP reloads, as systemctl reload sends it, and ends nothing', async () => {
  await using g = await ground();
  const daemon = g.daemons.start();
  await untilStreaming(daemon);
  await g.write(RENAMED);
  process.kill(daemon.pid, 'SIGHUP');
  await until('the file to be in effect', async () => (await g.documents()).at(-1)!.includes('thing'));
  await g.write('nothing: here');
  process.kill(daemon.pid, 'SIGHUP');
  await until('the log to say what is wrong with the file', () =>
    daemon.log().includes('TRACKING_FILE_INVALID'),
  );
  expect(daemon.exited).toBe(false);
});

test('a file that needs apply is reported, and takes effect after apply', async () => {
  await using g = await ground();
  await untilStreaming(g.daemons.start());
  await g.write(WITH_PARTS);
  expect(await g.reload()).toMatchObject({ code: 0, output: expect.stringContaining('waltrail apply') });
  expect(await g.documents()).toHaveLength(1);
  expect((await g.apply()).code).toBe(0);
  await until('the file to be in effect', async () => (await g.documents()).length === 2);
});

test('a dry run lists the differences of the file and the values that it exposes, and changes nothing', async () => {
  await using g = await ground();
  const dryRun = (...words: string[]) => g.reload(g.file, '--dry-run', ...words);
  expect(await dryRun()).toMatchObject({
    code: 0,
    output: expect.stringContaining('No configuration is in effect'),
  });
  await untilStreaming(g.daemons.start());
  expect((await dryRun()).output).toContain('already in effect');

  await g.write(WITH_PARTS.replace('entity: item', 'entity: thing'));
  const { code, output } = await dryRun('--json');
  expect([code, JSON.parse(output)]).toEqual([
    0,
    {
      takesEffect: 'apply',
      changes: [
        { aspect: 'tracking', tables: ['public.parts'], says: 'tracked from now on', exposes: false },
        { aspect: 'entity', tables: ['public.items'], says: 'thing instead of item', exposes: false },
      ],
      namesRead: [],
      publication: { enter: ['public.parts'], leave: [] },
    },
  ]);
  await g.write(
    `secrets: { defaults: false }\nmodifiers: { table: public.items, key: id, name: "{id}" }\n${TABLES}`,
  );
  const said = (await dryRun()).output;
  expect(said).toMatch(/^MORE OF THESE VALUES WILL BE STORED THAN BEFORE\n- redaction: secrets\.defaults/);
  expect(said).toContain('\n- modifiers: added: public.items\n');
  expect(said).toContain('\nTakes effect with the reload');
  expect(said).toContain('\nNames are read from every row of public.items.\n');
  expect(await g.documents()).toHaveLength(1);
});

test('reload without a daemon ends with a clear error', async () => {
  await using g = await ground();
  expect(await g.reload()).toMatchObject({
    code: 1,
    errors: expect.stringContaining('No daemon of this trail'),
  });
});
