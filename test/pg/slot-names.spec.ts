import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { parseConfig } from '../../src/tracking/load.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { applyTracking, readEntries, streaming, untilCaughtUp } from '../support/capture.ts';
import { waltrail, type CommandResult } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { catalogOf } from '../support/tracking.ts';
import { until } from '../support/until.ts';

interface Pair extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
}

async function pair(): Promise<Pair> {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  await source.query('create table a (id int primary key, x int); create table b (id int primary key)');
  return {
    source,
    trail,
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await trail[Symbol.asyncDispose]();
    },
  };
}

/** Slots belong to the cluster, which specs share, so each source has a separate name. */
const sourceName = ({ source }: Pair): string => source.name.replaceAll('_', '-');

const yamlOf = (name: string, options: { readonly more?: string; readonly tables?: string } = {}): string => `
source: { name: ${name}, url: "\${WALTRAIL_SOURCE_URL}"${options.more ?? ''} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
tables: ${options.tables ?? '{ public.a: { entity: a } }'}`;

const environmentOf = ({ source, trail }: Pair) => ({
  WALTRAIL_SOURCE_URL: source.url,
  WALTRAIL_TRAIL_URL: trail.url,
});

const configOf = (ground: Pair, more = '', tables?: string): TrackingConfig =>
  parseConfig({
    file: 'test.yaml',
    environment: environmentOf(ground),
    text: yamlOf(sourceName(ground), { more, ...(tables === undefined ? {} : { tables }) }),
  });

/** Captures one insert, and returns the slot that the status names. */
async function captureOnce(ground: Pair, config: TrackingConfig, id: number): Promise<string> {
  const capture = startCapture({ config, log: silentLog });
  try {
    await streaming(capture);
    await ground.source.query(`insert into a values (${id})`);
    await untilCaughtUp(ground.source, ground.trail);
    return capture.status().slot;
  } finally {
    await capture.stop();
  }
}

const slotsOf = async ({ source }: Pair): Promise<string[]> =>
  (
    await source.query<{ name: string }>(
      `select slot_name::text as name from pg_replication_slots where database = current_database() order by 1`,
    )
  ).map(({ name }) => name);

const entriesOf = async ({ trail }: Pair): Promise<string[]> =>
  (await trail.query<{ id: string }>(`select entity_id as id from trail.entry order by id`)).map(
    ({ id }) => id,
  );

/** Entries that are changes of rows, by the name of their entity. */
const rowsOf = async ({ trail }: Pair): Promise<string[]> =>
  (await readEntries(trail))
    .filter(({ entityType }) => entityType !== 'waltrail')
    .map(({ entityType, entityId }) => `${entityType} ${entityId}`);

async function run(ground: Pair, args: readonly string[], yaml: string): Promise<CommandResult> {
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'));
  try {
    const file = path.join(folder, 'waltrail.yaml');
    await writeFile(file, yaml);
    return await waltrail([...args], { WALTRAIL_CONFIG: file, ...environmentOf(ground) });
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('a YAML without a slot name', () => {
  test('uses one with the name of the source, so that two databases of one server do not collide', async () => {
    await using ground = await pair();
    const config = configOf(ground);
    await applyTracking(config);
    const slot = `waltrail_${ground.source.name}`;
    expect(await captureOnce(ground, config, 1)).toBe(slot);
    expect(await slotsOf(ground)).toEqual([slot]);
  });

  test('continues with the slot of the trail, whatever the default is now', async () => {
    await using ground = await pair();
    const config = configOf(ground);
    await applyTracking(config);
    // As an earlier version began it, with another default.
    const old = `waltrail_old_${ground.source.name}`;
    expect(await captureOnce(ground, configOf(ground, `, slot: ${old}`), 1)).toBe(old);
    await ground.source.query('insert into a values (2)');
    expect(await captureOnce(ground, config, 3)).toBe(old);
    expect(await slotsOf(ground)).toEqual([old]);
    expect(await entriesOf(ground)).toEqual(['1', '2', '3']);
    expect(await ground.trail.query('select code from trail.gap')).toEqual([]);

    // The plan knows this slot, too, and reports it neither as left over nor as an additional one.
    const planned = await run(ground, ['plan'], yamlOf(sourceName(ground)));
    expect([planned.code, planned.output]).toEqual([0, expect.not.stringContaining(old)]);
  });

  test('shows the slot of the trail where another daemon captures', async () => {
    await using ground = await pair();
    await applyTracking(configOf(ground));
    const old = `waltrail_old_${ground.source.name}`;
    const capture = startCapture({ config: configOf(ground, `, slot: ${old}`), log: silentLog });
    await streaming(capture);
    const standby = startCapture({ config: configOf(ground), log: silentLog });
    try {
      expect(capture.status().slot).toBe(old);
      await until('the standby to know the slot', () => standby.status().slot === old);
      expect(standby.status().state).toBe('standby');
    } finally {
      await standby.stop();
      await capture.stop();
    }
  });
});

test('a file that is read again while capture runs keeps the slot of the trail', async () => {
  await using ground = await pair();
  await applyTracking(configOf(ground));
  const old = `waltrail_old_${ground.source.name}`;
  await captureOnce(ground, configOf(ground, `, slot: ${old}`), 1);
  let tables = '{ public.a: { entity: a } }';
  const readConfig = (): TrackingConfig => configOf(ground, '', tables);
  const capture = startCapture({ config: readConfig(), readConfig, log: silentLog });
  try {
    await streaming(capture);
    tables = '{ public.a: { entity: renamed } }';
    expect(await capture.reload(readConfig(), { by: null })).toBe('in effect');
    await ground.source.query('insert into a values (2)');
    // Nobody reloads this file: capture reads it because the source announces it.
    tables = '{ public.a: { entity: renamed }, public.b: { entity: b } }';
    await applyTracking(readConfig());
    await ground.source.query('insert into b values (3)');
    const { digest } = readConfig().definition;
    await until('the file to be in effect', () => capture.status().configuration.digest === digest);
    await untilCaughtUp(ground.source, ground.trail);
    expect(capture.status()).toMatchObject({ slot: old, state: 'streaming' });
  } finally {
    await capture.stop();
  }
  // Changed and applied while the daemon loads it: a session finds another file than the one it was given.
  const loaded = readConfig();
  tables = '{ public.a: { entity: again } }';
  await applyTracking(readConfig());
  await ground.source.query('insert into a values (4)');
  const next = startCapture({ config: loaded, readConfig, log: silentLog });
  try {
    await streaming(next);
    await untilCaughtUp(ground.source, ground.trail);
    expect(next.status()).toMatchObject({ slot: old, state: 'streaming' });
  } finally {
    await next.stop();
  }
  expect(await slotsOf(ground)).toEqual([old]);
  expect(await rowsOf(ground)).toEqual(['a 1', 'renamed 2', 'b 3', 'again 4']);
  expect(await ground.trail.query('select code from trail.gap')).toEqual([]);
});

test('a name in the YAML takes precedence over that of the trail', async () => {
  await using ground = await pair();
  await applyTracking(configOf(ground));
  await captureOnce(ground, configOf(ground), 1);
  const named = `other_${ground.source.name}`;
  const capture = startCapture({ config: configOf(ground, `, slot: ${named}`), log: silentLog });
  try {
    // The slot does not exist, and creating it would be a gap, so capture stops.
    await until('capture to stop', () => capture.status().state === 'stopped');
    expect(capture.status()).toMatchObject({ slot: named, error: { code: 'SOURCE_SLOT_LOST' } });
  } finally {
    await capture.stop();
  }
});

describe("plan reports a slot with the name of the source's slot", () => {
  test('in another database of the cluster, read or not, and apply still works', async () => {
    await using ground = await pair();
    await using other = await freshDatabase('empty');
    const config = configOf(ground);
    await other.query(`select pg_create_logical_replication_slot('${config.source.slot}', 'pgoutput')`);
    const catalog = await catalogOf(ground.source.url);
    expect(planTracking({ config, catalog }).problems).toEqual([
      expect.objectContaining({
        code: 'SOURCE_SLOT_FOREIGN',
        message: `Slot ${config.source.slot} exists and cannot belong to this source: it belongs to database ${other.name}, not to ${ground.source.name}, and is not in use now.`,
        captureOnly: true,
      }),
    ]);
    const applied = await run(ground, ['apply'], yamlOf(sourceName(ground)));
    expect([applied.code, applied.output]).toEqual([0, expect.stringContaining('SOURCE_SLOT_FOREIGN')]);
  });

  test('with another plugin', async () => {
    await using ground = await pair();
    const config = configOf(ground);
    await ground.source.query(`select pg_create_physical_replication_slot('${config.source.slot}')`);
    try {
      const catalog = await catalogOf(ground.source.url);
      expect(planTracking({ config, catalog }).problems).toEqual([
        expect.objectContaining({ message: expect.stringContaining('it is a physical slot') }),
      ]);
    } finally {
      await ground.source.query(`select pg_drop_replication_slot('${config.source.slot}')`);
    }
  });

  test('left by an earlier Waltrail in this database', async () => {
    await using ground = await pair();
    const left = `waltrail_left_${ground.source.name}`;
    await ground.source.query(`select pg_create_logical_replication_slot('${left}', 'pgoutput')`);
    const { warnings } = planTracking({
      config: configOf(ground),
      catalog: await catalogOf(ground.source.url),
    });
    expect(warnings).toContainEqual(expect.stringMatching(`^Slot ${left} of this database is unused`));
  });
});

describe('the mark of a publication, which names its source,', () => {
  const comment = async ({ source }: Pair): Promise<string | null> =>
    (
      await source.query<{ comment: string | null }>(
        `select obj_description(oid, 'pg_publication') as comment from pg_publication`,
      )
    )[0]!.comment;
  const published = async ({ source }: Pair): Promise<string[]> =>
    (
      await source.query<{ name: string }>(
        `select tablename::text as name from pg_publication_tables order by 1`,
      )
    ).map(({ name }) => name);

  test('keeps the YAML of another source from removing tables without a yes', async () => {
    await using ground = await pair();
    expect((await run(ground, ['apply'], yamlOf('crm'))).code).toBe(0);
    expect(await comment(ground)).toBe('Waltrail: source crm\nWaltrail found: {}');

    const other = yamlOf('billing', { tables: '{ public.b: { entity: b } }' });
    for (const command of ['plan', 'apply']) {
      const { code, output } = await run(ground, [command], other);
      expect(code).toBe(1);
      expect(output).toContain(
        'SOURCE_PUBLICATION_FOREIGN: Publication waltrail belongs to source crm. Applying this YAML would remove public.a from it.',
      );
      expect(output).not.toContain('drop table');
    }
    expect([await published(ground), await comment(ground)]).toEqual([
      ['a'],
      'Waltrail: source crm\nWaltrail found: {}',
    ]);

    expect((await run(ground, ['apply', '--take-over', '--yes'], other)).code).toBe(0);
    expect([await published(ground), await comment(ground)]).toEqual([
      ['b'],
      'Waltrail: source billing\nWaltrail found: {}',
    ]);
    expect((await run(ground, ['plan'], other)).code).toBe(0);
  });

  test('does not stop capture of another source, because all its tables are there', async () => {
    await using ground = await pair();
    await run(ground, ['apply'], yamlOf('crm'));
    const config = configOf(ground);
    await captureOnce(ground, config, 1);
    expect(await entriesOf(ground)).toEqual(['1']);
  });

  test('may change while capture runs, without a gap, a note or a new session', async () => {
    await using ground = await pair();
    const config = configOf(ground);
    await applyTracking(config);
    const reader = async (): Promise<unknown> =>
      (
        await ground.source.query(
          'select active_pid from pg_replication_slots where database = current_database()',
        )
      )[0];
    const capture = startCapture({ config, log: silentLog, pace: { lookMs: 50 } });
    try {
      await streaming(capture);
      await ground.source.query('insert into a values (1)');
      await untilCaughtUp(ground.source, ground.trail);
      const before = await reader();
      for (const text of ['null', `'for the auditors'`, `'Waltrail: source billing'`]) {
        await ground.source.query(`comment on publication waltrail is ${text}`);
        await sleep(200);
      }
      await ground.source.query('comment on publication waltrail is null');
      await applyTracking(config);
      // Whoever removed the mark may have chosen the identity that is there: waltrail drop keeps it.
      expect(await comment(ground)).toBe(
        `Waltrail: source ${sourceName(ground)}\nWaltrail found: {"identities":{"public.a":"full"},"adopted":true}`,
      );
      await sleep(200);
      await ground.source.query('insert into a values (2)');
      await untilCaughtUp(ground.source, ground.trail);
      expect(await reader()).toEqual(before);
      expect(capture.status()).toMatchObject({ state: 'streaming', configuration: { ignored: 0 } });
    } finally {
      await capture.stop();
    }
    expect(await entriesOf(ground)).toEqual(['1', '2']);
    expect(await ground.trail.query('select code from trail.gap')).toEqual([]);
  });

  test('delays no file when it is missing and the publication is changed by hand', async () => {
    await using ground = await pair();
    const both = '{ public.a: { entity: a }, public.b: { entity: b } }';
    await applyTracking(configOf(ground));
    await ground.source.query('comment on publication waltrail is null');
    const capture = startCapture({ config: configOf(ground), log: silentLog, pace: { lookMs: 50 } });
    const inEffect = (): Promise<unknown> =>
      until('the file to be in effect', () => capture.status().configuration.waitsFor === null);
    try {
      await streaming(capture);
      expect(await capture.reload(configOf(ground, '', both), { by: null })).toBe('waits for apply');
      await ground.source.query(`
        alter table only b replica identity full;
        alter publication waltrail add table only b`);
      await inEffect();
      await ground.source.query('insert into b values (1)');
      // The publication holds a table that the file does not name, and nobody has removed it.
      expect(await capture.reload(configOf(ground), { by: null })).toBe('waits for apply');
      await ground.source.query('alter publication waltrail drop table only b');
      await inEffect();
    } finally {
      await capture.stop();
    }
    expect(await rowsOf(ground)).toEqual(['b 1']);
    expect(await ground.trail.query('select code from trail.gap')).toEqual([]);
  });

  test('is added silently to a publication that holds only tables of the YAML', async () => {
    await using ground = await pair();
    await ground.source.query(`
      create publication waltrail for table a with (publish_via_partition_root = true);
      comment on publication waltrail is 'Asked for by the auditors'`);
    const { code, output } = await run(ground, ['apply'], yamlOf('crm'));
    expect([code, output]).toEqual([0, expect.not.stringContaining('FOREIGN')]);
    // The DBA's comment stays.
    expect(await comment(ground)).toBe(
      'Asked for by the auditors\nWaltrail: source crm\nWaltrail found: {"adopted":true}',
    );
    expect((await run(ground, ['plan'], yamlOf('crm'))).output).toContain('Nothing to do');
  });

  test('is added only with a yes to a publication that also holds other tables', async () => {
    await using ground = await pair();
    await ground.source.query('create publication waltrail for table a, b');
    const { code, output } = await run(ground, ['apply'], yamlOf('crm'));
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('has no mark of Waltrail, and holds tables that the YAML does not name.'),
    ]);
    expect([await published(ground), await comment(ground)]).toEqual([['a', 'b'], null]);
    expect((await run(ground, ['apply', '--take-over', '--yes'], yamlOf('crm'))).code).toBe(0);
    expect([await published(ground), await comment(ground)]).toEqual([
      ['a'],
      'Waltrail: source crm\nWaltrail found: {"adopted":true}',
    ]);
  });
});
