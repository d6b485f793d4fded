import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { createLog, silentLog } from '../../src/log.js';
import {
  applyTracking,
  captureGround,
  streaming,
  testConfig,
  untilCaughtUp,
  type CaptureGround,
} from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';
import { viewGround } from '../support/tenant-view.ts';
import { until } from '../support/until.ts';

const SCHEMA = `
  create table teams (id int primary key, account_id int, name text);
  create table members (id int primary key, team_id int references teams on update cascade on delete cascade deferrable, name text);
  create table tasks (id int primary key, member_id int references members on delete cascade, title text);
  create table notes (id int primary key, team_id int, body text);
  insert into teams values (1, 11, 'Blue'), (2, 22, 'Red'), (3, null, 'Nobody''s');
  insert into members values (1, 1, 'Dana'), (2, 2, 'Omer');
  insert into tasks values (1, 1, 'one'), (2, 2, 'two')`;
const OF_TEAM = 'via: team_id, table: public.teams, key: id';
const TABLES = `
  public.teams: { entity: team, tenant: account_id }
  public.members: { entity: member, name: "{name} of {team_id}", tenant: { ${OF_TEAM} },
    labels: { team_id: { table: public.teams, key: id, name: "{name}" } } }
  public.tasks: { entity: task, name: "{title}", tenant: { via: member_id, table: public.members, key: id } }
  public.notes: { entity: note, tenant: { ${OF_TEAM}, tenant: account_id } }`;

const ground = (options: Partial<Parameters<typeof captureGround>[0]> = {}): Promise<CaptureGround> =>
  captureGround({ schemaSql: SCHEMA, yaml: `tables:${TABLES}`, ...options });

/** Lists changes as `type operation id: tenant`, with the previous tenant if the row moved. */
async function told(g: Pick<CaptureGround, 'source' | 'trail'>): Promise<string[]> {
  await untilCaughtUp(g.source, g.trail);
  const rows = await g.trail.query<{ told: string }>(
    `select t.name || ' ' || e.operation::text || ' ' || e.entity_id || ': ' || coalesce(n.name, 'none')
            || case when e.previous_tenant_id is null then '' else ' from ' || coalesce(p.name, 'none') end as told
       from trail.entry e
       join trail.entity_type t on t.id = e.entity_type_id
       left join trail.tenant n on n.id = e.tenant_id
       left join trail.tenant p on p.id = e.previous_tenant_id
      where e.rung <> 'w' order by e.id`,
  );
  return rows.map((row) => row.told);
}

describe('the tenant of a row that refers to the row with the tenant', () => {
  test('is that of the row, across one table and across two, for rows from before the start and new ones', async () => {
    await using g = await ground();
    await g.source.query(`update members set name = 'Dana Levi' where id = 1`);
    await g.source.query(`update tasks set title = 'uno' where id = 1`);
    await g.source.query(`insert into notes values (1, 2, 'x')`);
    await g.source.query(`insert into members values (3, null, 'Nobody'), (4, 3, 'No tenant')`);
    await g.restart();
    await g.source.query(`insert into tasks values (3, 2, 'three')`);
    await g.source.query(`delete from tasks where id = 2`);
    expect(await told(g)).toEqual([
      'member u 1: 11',
      'task u 1: 11',
      'note i 1: 22',
      'member i 3: none',
      'member i 4: none',
      'task i 3: 22',
      'task d 2: 22',
    ]);
    expect(g.capture.status().tenantsUnknown).toBe(0);
  });

  test('is the tenant at the time of the change, whatever happened to that row since', async () => {
    await using g = await ground();
    await g.capture.stop();
    await g.source.query(`update members set name = 'before' where id = 1`);
    await g.source.query(`update teams set account_id = 33 where id = 1`);
    await g.source.query(`update members set name = 'after' where id = 1`);
    await g.source.query(`begin;
      insert into teams values (5, 55, 'New');
      insert into members values (5, 5, 'new');
      update teams set account_id = 56 where id = 5;
      insert into tasks values (5, 5, 'new');
      commit`);
    await g.source.query(`update teams set id = 6 where id = 5`);
    await g.source.query(`delete from teams where id = 1`);
    await g.source.query(
      `begin; delete from teams where id = 6; insert into teams values (6, 66, 'Again'); rollback`,
    );
    await g.source.query(`update members set name = 'still' where id = 5`);
    await g.restart();
    expect(await told(g)).toEqual([
      'member u 1: 11',
      'team u 1: 33 from 11',
      'member u 1: 33',
      'team i 5: 55',
      'member i 5: 55',
      'team u 5: 56 from 55',
      'task i 5: 56',
      'team u 6: 56',
      'member u 5: 56',
      'team d 1: 33',
      'member d 1: 33',
      'task d 1: 33',
      'member u 5: 56',
    ]);
    expect(g.capture.status().tenantsUnknown).toBe(0);
  });

  test('moves with the row that has it, and readers of each tenant see their side and no name of the other', async () => {
    await using g = await ground();
    await g.source.query(`update members set team_id = 2, name = 'Dana New' where id = 1`);
    await g.source.query(`update members set team_id = null where id = 2`);
    expect(await told(g)).toEqual(['member u 1: 22 from 11', 'member u 2: none from 22']);
    await using views = await viewGround(g.trail);
    const [old, now] = [await views.as('11'), await views.as('22')];
    expect(await old.items()).toMatchObject([
      {
        moved: { side: 'left' },
        entity: { name: 'Dana of Blue' },
        previous: { name: 'Dana' },
        updated: null,
      },
    ]);
    expect(await now.items()).toMatchObject([
      { moved: { side: 'left' }, entity: { id: '2' } },
      { moved: { side: 'arrived' }, entity: { name: 'Dana New of Red' }, previous: null, updated: { name: 'Dana New' } },
    ]); // prettier-ignore
  });

  test('is missing where that row is not known: counted, logged without a value, and no side of it is shown', async () => {
    const lines: string[] = [];
    const destination = new Writable({
      write: (chunk: Buffer, _, done) => {
        lines.push(chunk.toString());
        done();
      },
    });
    await using g = await ground({ log: createLog({ level: 'warn', destination }) });
    await g.source.query(`insert into notes values (1, 98765, 'lost'), (2, 98765, 'lost')`);
    await g.source.query(`update notes set team_id = 1, body = 'found' where id = 1`);
    // The row that is referred to comes after the row that refers to it.
    await g.source.query(`begin; set constraints all deferred;
      insert into members values (7, 7, 'early'); insert into teams values (7, 77, 'Late'); commit`);
    await g.source.query(`update members set name = 'known' where id = 7`);
    expect(await told(g)).toEqual([
      'note i 1: none',
      'note i 2: none',
      'note u 1: 11 from none',
      'member i 7: none',
      'team i 7: 77',
      'member u 7: 77',
    ]);
    expect(g.capture.status().tenantsUnknown).toBe(4);
    await g.capture.stop();
    const said = lines.filter((line) => line.includes('no tenant')).map((line) => JSON.parse(line) as object);
    expect(said).toMatchObject([
      { entries: 1, table: 'public.notes' },
      { entries: 3, table: 'public.members' },
    ]);
    expect(lines.join('')).not.toContain('98765');
    await using views = await viewGround(g.trail);
    const reader = await views.as('11');
    expect(await reader.items()).toMatchObject([{ moved: { side: 'arrived' }, previous: null }]);
    expect(await reader.everything()).not.toContain('lost');
  });

  test('applies to its words, too: in names and labels, also of rows from before the start', async () => {
    const label = 'labels: { member_id: { table: public.members, key: id, name: "{name}" } }';
    const yaml = `tables:${TABLES}`.replace('name: "{title}"', `name: "{title} by {member_id}", ${label}`);
    await using g = await ground({ yaml });
    await g.source.query(`insert into members values (3, 1, 'Noa')`);
    await g.source.query(`insert into tasks values (3, 1, 'a'), (4, 3, 'b')`);
    await g.restart();
    await g.source.query(`update tasks set title = 'c' where id = 4`);
    await g.caughtUp();
    await using views = await viewGround(g.trail);
    const shown = (await (await views.as('11')).items('&entityType=task')).toReversed();
    expect(shown.map(({ entity, labels }) => [entity['name'], labels?.updated['member_id']])).toEqual([
      ['a by Dana', 'Dana'],
      ['b by Noa', 'Noa'],
      ['c by Noa', undefined],
    ]);
  });

  test('is read again after a gap of the table that has it', async () => {
    await using g = await ground();
    const troubles = (count: number): Promise<unknown> =>
      until(`${count} troubles`, () => g.capture.status().troubleCount === count);
    await g.source.query(`alter publication waltrail drop table teams`);
    await troubles(1);
    await g.source.query(`update teams set account_id = 33 where id = 1`);
    await g.source.query(`alter publication waltrail add table teams`);
    await troubles(0);
    await g.caughtUp();
    await g.restart();
    await g.source.query(`update members set name = 'new' where id = 1`);
    expect(await told(g)).toEqual(['member u 1: 33']);
  });

  test('is missing after a truncate, and known again for rows added later', async () => {
    await using g = await ground();
    await g.source.query(`begin; truncate teams cascade; insert into teams values (1, 99, 'Blue'); commit`);
    await g.source.query(`insert into notes values (1, 1, 'x'), (2, 2, 'x')`);
    expect((await told(g)).slice(-2)).toEqual(['note i 1: 99', 'note i 2: none']);
  });

  test('is read with only the columns that it needs, redacted as those are', async () => {
    await using g = await ground({
      yaml: `redact: [ { columns: [account_id], tables: [public.teams], with: hash } ]
tables:
  public.members: { entity: member, only: [id], tenant: { ${OF_TEAM}, tenant: account_id } }`,
    });
    await g.source.query(`insert into members values (4, 2, 'secret')`);
    const [entry] = await g.caughtUp();
    expect(entry!.tenant).toMatch(/^\S{16,}$/);
    expect(entry!.updated).toMatchObject({ id: '4', team_id: '2' });
    expect(
      await g.trail.query(`select distinct name from trail.lookup where name in ('11', '22', 'Blue')`),
    ).toEqual([]);
  });
});

describe('a join that is added to the YAML', () => {
  test('applies to existing rows after a reload, and is read again when it leads elsewhere', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query(
      `${SCHEMA}; alter table teams add column owner int; update teams set owner = account_id + 100`,
    );
    const file = (tenant: string): string => `tables:
  public.teams: { entity: team, name: "{name}" }
  public.members: { entity: member, name: "{name}"${tenant} }`;
    const config = (tenant: string) => testConfig({ source, trail, yaml: file(tenant) });
    await applyTracking(config(''));
    const capture = startCapture({ config: config(''), log: silentLog });
    try {
      await streaming(capture);
      await source.query(`update members set name = 'a' where id = 1`);
      await untilCaughtUp(source, trail);
      for (const column of ['account_id', 'owner']) {
        const next = config(`, tenant: { ${OF_TEAM}, tenant: ${column} }`);
        expect(await capture.reload(next, { by: null })).toBe('in effect');
        await source.query(`update members set name = name || 'b' where id = 1`);
        await untilCaughtUp(source, trail);
      }
      expect(await told({ source, trail })).toEqual([
        'member u 1: none',
        'member u 1: 11',
        'member u 1: 111',
      ]);
    } finally {
      await capture.stop();
    }
  });
});
