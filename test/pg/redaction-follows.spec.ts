import { describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import {
  applyTracking,
  captureGround,
  streaming,
  testConfig,
  type CaptureGround,
} from '../support/capture.ts';
import { until } from '../support/until.ts';

/** A text that is unique wherever it appears. */
const secret = (n: number): string => `canary-${n}-8c1f2a`;

const SCHEMA = `
  create table users (id int primary key, name text, password text, hint text);
  insert into users values (1, 'Dana', '${secret(0)}', 'blue')`;
const YAML = `
secrets: { defaults: false }
redact: [ { columns: [password], with: mask } ]
tables: { public.users: { entity: user, name: "{name}" } }`;

const ground = (yaml = YAML): Promise<CaptureGround> => captureGround({ schemaSql: SCHEMA, yaml });

/** Every row of every table of the trail, as text. */
async function everythingStored({ trail }: CaptureGround): Promise<string> {
  const tables = await trail.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname in ('trail', 'waltrail')`,
  );
  const rows: unknown[] = [];
  for (const { name } of tables) rows.push(await trail.query(`select t::text from ${name} t`));
  return JSON.stringify(rows);
}

describe('redaction follows a column', () => {
  test('after it was renamed with stored rows: old and new value stay masked', async () => {
    await using g = await ground();
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.source.query(`alter table users rename password to pwd`);
    await g.source.query(`update users set pwd = '${secret(2)}'`);
    const entries = await g.caughtUp();
    expect(entries.at(-1)).toMatchObject({ previous: { pwd: '***' }, updated: { pwd: '***' } });
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('after it was renamed before any of its rows changed', async () => {
    await using g = await ground();
    await g.source.query(`alter table users rename password to pwd`);
    await g.source.query(`update users set pwd = '${secret(1)}'`);
    expect(await g.caughtUp()).toMatchObject([{ previous: { pwd: '***' }, updated: { pwd: '***' } }]);
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('after it was renamed while capture was stopped, and after a restart', async () => {
    await using g = await ground();
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.caughtUp();
    await g.capture.stop();
    await g.source.query(`alter table users rename password to pw1`);
    await g.source.query(`update users set pw1 = '${secret(2)}'`);
    await g.source.query(`alter table users rename pw1 to pw2`);
    await g.source.query(`update users set pw2 = '${secret(3)}'`);
    await g.restart();
    await g.caughtUp();
    await g.restart();
    await g.source.query(`update users set pw2 = '${secret(4)}', name = 'Eva'`);
    const entries = await g.caughtUp();
    expect(entries.at(-1)).toMatchObject({ updated: { pw2: '***', name: 'Eva' } });
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('after it swapped its name with another one', async () => {
    await using g = await ground();
    await g.source
      .query(`begin; alter table users rename password to old; alter table users rename hint to password;
      alter table users rename old to hint; update users set hint = '${secret(1)}', password = 'green'; commit`);
    const entries = await g.caughtUp();
    expect(entries.at(-1)).toMatchObject({ updated: { hint: '***', password: '***' } });
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('after it was renamed and dropped before capture could ask: every column that it may be is masked', async () => {
    await using g = await ground();
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.caughtUp();
    await g.capture.stop();
    await g.source.query(`alter table users rename password to c1`);
    await g.source.query(`update users set c1 = '${secret(2)}'`);
    await g.source.query(`alter table users drop column c1, add column c1 text`);
    await g.source.query(`update users set c1 = 'visible'`);
    await g.restart();
    await g.caughtUp();
    expect(await everythingStored(g)).not.toContain('canary');
    // After this restart the message matches the catalog.
    await g.restart();
    await g.source.query(`update users set c1 = 'visible again'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { c1: 'visible again' } });
  });

  test('after its table was dropped', async () => {
    await using g = await ground();
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.caughtUp();
    await g.capture.stop();
    await g.source.query(`alter table users rename password to pwd`);
    await g.source.query(`update users set pwd = '${secret(2)}'`);
    await g.source.query(`drop table users`);
    await g.restart();
    await g.caughtUp();
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('after its table was renamed, where the rule names the table', async () => {
    await using g = await ground(`
secrets: { defaults: false }
redact: [ { columns: [password], tables: [public.users], with: hash } ]
tables: { "public.*": { entity: user } }`);
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.source.query(`alter table users rename to people`);
    await g.source.query(`update people set password = '${secret(2)}'`);
    await g.caughtUp();
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('but not to a new column', async () => {
    await using g = await ground();
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.source.query(`alter table users add column nickname text`);
    await g.source.query(`update users set nickname = 'Dee'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { nickname: 'Dee' } });
    await g.source.query(`alter table users drop column hint, add column remark text`);
    await g.source.query(`update users set remark = 'here', password = '${secret(2)}'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { remark: 'here', password: '***' } });
    await g.source.query(`alter table users drop column password, add column city text`);
    await g.source.query(`update users set city = 'Haifa'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { city: 'Haifa' } });
  });

  test('until the YAML allows its new name', async () => {
    await using g = await ground(
      YAML.replace('defaults: false', 'defaults: false, allow: [public.users.motto]'),
    );
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.source.query(`alter table users rename password to motto`);
    await g.source.query(`update users set motto = 'onward' where true`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { motto: 'onward' } });
  });
});

describe('redaction follows a column across configurations', () => {
  const configOf = (g: CaptureGround, yaml: string): TrackingConfig => testConfig({ ...g, yaml });
  const restartWith = async (g: CaptureGround, config: TrackingConfig): Promise<void> => {
    await g.capture.stop();
    g.capture = startCapture({ config, readConfig: () => config, log: silentLog });
    await streaming(g.capture);
  };

  test('when a new rule has its new name, in rows that the source sent under the old one', async () => {
    await using g = await ground();
    await g.source.query(`update users set password = '${secret(1)}'`);
    await g.caughtUp();
    await g.capture.stop();
    await g.source.query(`update users set password = '${secret(2)}'`);
    await g.source.query(`alter table users rename password to pwd`);
    await g.source.query(`update users set pwd = '${secret(3)}'`);
    await restartWith(g, configOf(g, YAML.replace('[password]', '[pwd]')));
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { pwd: '***' } });
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('when it was renamed under one and another has its old name, also after a restart', async () => {
    await using g = await ground();
    await g.source.query(`alter table users rename password to pwd`);
    await g.source.query(`update users set pwd = '${secret(1)}'`);
    await g.caughtUp();
    const config = configOf(g, YAML.replace('entity: user', 'entity: person'));
    await g.capture.reload(config, { by: 'dana' });
    await g.source.query(`update users set pwd = '${secret(2)}'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ entityType: 'person', updated: { pwd: '***' } });
    await restartWith(g, config);
    await g.source.query(`update users set pwd = '${secret(3)}'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { pwd: '***' } });
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('when it is renamed between the position at which the rule begins and the first row after it', async () => {
    await using g = await ground(YAML);
    await g.source.query(`create table orders (id int primary key, hint text)`);
    const config = configOf(
      g,
      YAML.replace('[password]', '[password, hint]').replace(
        ' } }',
        ' }, public.orders: { entity: order } }',
      ),
    );
    expect(await g.capture.reload(config, { by: 'dana' })).toBe('waits for apply');
    await g.capture.stop();
    await applyTracking(config);
    await g.source.query(`alter table users rename hint to clue`);
    await g.source.query(`update users set clue = '${secret(1)}'`);
    await restartWith(g, config);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { clue: '***' } });
    expect(await everythingStored(g)).not.toContain('canary');
  });

  test('until a reload allows its new name, and its trouble ends', async () => {
    await using g = await ground(`tables: { public.users: { entity: user } }`);
    await g.source.query(`alter table users rename password to motto`);
    const isSaid = (): boolean =>
      g.capture.status().troubles.some(({ code }) => code === 'TRACKING_COLUMN_RENAMED');
    await until('the trouble to be reported', isSaid);
    const yaml = `secrets: { allow: [public.users.motto] }\ntables: { public.users: { entity: user } }`;
    await g.capture.reload(configOf(g, yaml), { by: 'dana' });
    await g.source.query(`update users set motto = 'onward'`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({ updated: { motto: 'onward' } });
    expect(isSaid()).toBe(false);
  });
});

test('ids, names, labels and modifiers of a redacted column stay redacted under its new name', async () => {
  await using g = await captureGround({
    schemaSql: `
      create table people (email text primary key, name text);
      insert into people values ('dana@canary.test', 'Dana');
      create table items (email text primary key, title text, owner_email text, org_email text);`,
    yaml: `
redact: [ { columns: [email, owner_email, org_email], with: hash } ]
modifiers: { table: public.people, key: email, name: "{name} {email}" }
tables:
  public.items: { entity: item, name: "{title} {email}", modifier: owner_email, tenant: org_email, labels: { owner_email: { table: public.people, key: email, name: "{name} {email}" } } }`,
  });
  await g.source.query(
    `insert into items values ('a@canary.test', 'A', 'dana@canary.test', 'o@canary.test')`,
  );
  await g.source.query(`alter table items rename email to mail; alter table items rename owner_email to owner;
    alter table items rename org_email to org; alter table people rename email to mail`);
  await g.source.query(`insert into people values ('new@canary.test', 'New')`);
  await g.source.query(`update people set mail = 'newer@canary.test' where name = 'New'`);
  await g.source.query(`update items set title = 'B', owner = 'newer@canary.test', org = 'p@canary.test'`);
  await g.source.query(`update items set mail = 'b@canary.test'`);
  await g.source.query(`delete from items`);
  await g.caughtUp();
  expect(await everythingStored(g)).not.toContain('canary.test');
});

test('renaming a column that the YAML uses is reported at once, even without a changed row', async () => {
  await using g = await captureGround({
    schemaSql: `create table a (id int primary key, name text, updated_by text, org int, blocked bool)`,
    yaml: `
tables:
  public.a: { entity: a, name: "{name}", modifier: updated_by, ignore: [updated_by], tenant: org, actions: [ { on: update, changed: blocked, action: block } ] }`,
  });
  await g.source.query(
    `alter table a rename updated_by to changed_by; alter table a rename blocked to is_blocked`,
  );
  await until('the trouble to be reported', () =>
    g.capture.status().troubles.some(({ code }) => code === 'TRACKING_COLUMN_RENAMED'),
  );
  const trouble = g.capture.status().troubles.find(({ code }) => code === 'TRACKING_COLUMN_RENAMED');
  expect(trouble?.message).toContain(
    'Column "updated_by" was renamed to "changed_by"; tables."public.a".modifier, tables."public.a".ignore[0] need it.',
  );
  expect(trouble?.message).toContain('Column "blocked" was renamed to "is_blocked"');
  await until('its entry', async () =>
    (await g.entries()).some(
      ({ action, updated }) => action === 'tracking' && updated?.change === 'column changed_by',
    ),
  );
  await g.source.query(
    `alter table a rename changed_by to updated_by; alter table a rename is_blocked to blocked`,
  );
  await until('the trouble to end', () => g.capture.status().troubles.length === 0);
});
