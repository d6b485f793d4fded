import { beforeAll, afterAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { silentLog } from '../../src/log.js';
import { connect } from '../../src/pg/connect.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { takeRole, type TrailRole } from '../../src/trail/roles.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { seedTrail } from '../support/trail-data.ts';

const REFUSED = '42501';

let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase('trail');
  await seedTrail({ url: database.url, entries: 100 });
});
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

/** SQLSTATE of a statement as the role, in a transaction that is rolled back. 00000 when it is allowed. */
async function sqlStateAs(role: TrailRole, sql: string): Promise<string> {
  const client = await connect({ url: database.url, purpose: 'test' });
  try {
    expect(await takeRole(client, role)).toBe(true);
    await client.query('begin');
    await client.query(sql);
    return '00000';
  } catch (error) {
    return (error as pg.DatabaseError).code ?? 'none';
  } finally {
    await client.end();
  }
}

const ENTRY =
  `insert into trail.entry (id, committed_at, commit_lsn, seq, xid, modifier_id, relation_id, tenant_id,
    entity_type_id, action_id, operation, rung)
  values ((trail_day.now << 32) + 1, now(), '0/1', 0, '1', 0, 1, 0, 1, 1, 'i', '-')`.replace(
    'trail_day.now',
    String(Math.floor((Date.now() - Date.UTC(2026, 0, 1)) / 86_400_000)) + '::int8',
  );
const ADVANCE = `select trail.advance('crm', '0/0', 0, '0/1', 1, 1, now())`;
const EVERY_WAY_TO_CHANGE_ENTRIES = [
  `update trail.entry set previous = null`,
  `update trail.entry set id = id where false`,
  `delete from trail.entry where false`,
  `truncate trail.entry`,
  `drop table trail.entry`,
  `alter table trail.entry add column more text`,
  `create index on trail.entry (xid)`,
  `create trigger t before insert on trail.entry for each row execute function suppress_redundant_updates_trigger()`,
  `select trail.drop_before(1000)`,
  `select trail.make_partition(1)`,
  `create table trail.mine ()`,
];

describe('the writer', () => {
  test.each([
    ENTRY,
    `insert into trail.modifier values (9999, 'k', 'n', 'agent')`,
    `select trail.store_names('{public.teams}', '{1}', array[(select next_id from trail.checkpoint)], '{x}', '{null}', '{null}')`,
    `select trail.clear_names('public.teams', (select next_id from trail.checkpoint))`,
    `select * from trail.checkpoint`,
    `select trail.ensure_partitions(1)`,
  ])('may %s', async (sql) => {
    expect(await sqlStateAs('waltrail_writer', sql)).toBe('00000');
  });

  test('may advance the checkpoint, which validates the call', async () => {
    expect(await sqlStateAs('waltrail_writer', ADVANCE)).toBe('WT001');
  });

  test.each([
    ...EVERY_WAY_TO_CHANGE_ENTRIES,
    `select id from trail.entry`,
    `select count(*) from trail.entry`,
    `copy trail.entry (id) to stdout`,
    `insert into trail.entry select * from trail.entry`,
    `select * from trail.entry_2026_11_23`,
    `update trail.checkpoint set end_lsn = '0/0'`,
    `delete from trail.checkpoint`,
    `delete from trail.day`,
    `insert into trail.day values (1, 1)`,
    `update trail.modifier set name = 'x'`,
    `delete from trail.modifier`,
    `update trail.relation set columns = '[]'`,
    `delete from trail.lookup`,
    `update trail.lookup set key = 'x'`,
    `update trail.lookup set name = 'x'`,
    `insert into trail.lookup (table_name, key, from_id, name) values ('public.teams', '1', 0, 'x')`,
    `copy trail.lookup (table_name, key, from_id, name) from stdin`,
    `update trail.retention_floor set days = 1`,
    `insert into trail.block select * from trail.block`,
    `insert into trail.chunk select * from trail.chunk`,
    `insert into trail.block_value select * from trail.block_value`,
    `select * from trail.token`,
    `select * from trail.session`,
    `insert into trail.access (action, route, status, address) values ('read', 'x', 200, 'x')`,
    `select * from trail.export`,
    `select trail.retain_days(1)`,
    `select trail.retain_access(400)`,
    `select trail.grant_roles()`,
  ])('may not %s', async (sql) => {
    const partition = `trail.entry_${new Date().toISOString().slice(0, 10).replaceAll('-', '_')}`;
    expect(await sqlStateAs('waltrail_writer', sql.replace('trail.entry_2026_11_23', partition))).toBe(
      REFUSED,
    );
  });
});

describe('the reader', () => {
  test.each([
    'entry', 'modifier', 'action', 'entity_type', 'tenant', 'relation', 'lookup', 'checkpoint', 'day', 'block', 'export',
    'access', 'migration', 'readable',
  ])('may read trail.%s', async (table) => {
    expect(await sqlStateAs('waltrail_reader', `select * from trail.${table} limit 1`)).toBe('00000');
  }); // prettier-ignore

  test.each([
    ...EVERY_WAY_TO_CHANGE_ENTRIES,
    `select * from trail.token`,
    `select * from trail.session`,
    `select * from trail.secret`,
    `insert into trail.modifier values (9999, 'k', 'n', 'agent')`,
    `update trail.checkpoint set end_lsn = '0/0'`,
    `delete from trail.export`,
    `delete from trail.access`,
    ENTRY,
    ADVANCE,
    `select trail.retain_days(1)`,
    `select trail.roll_up(1)`,
  ])('may not %s', async (sql) => {
    expect(await sqlStateAs('waltrail_reader', sql)).toBe(REFUSED);
  });
});

describe('the API', () => {
  test.each([
    `select * from trail.entry limit 1`,
    `select id, role from trail.token`,
    `select trail.note_token_use(sha256($$x$$))`,
    `insert into trail.access (action, route, status, address) values ('read', 'x', 200, 'x')`,
    `update trail.export set done = 0`,
    `delete from trail.export`,
  ])('may %s', async (sql) => {
    expect(await sqlStateAs('waltrail_api', sql)).toBe('00000');
  });

  test.each([
    ...EVERY_WAY_TO_CHANGE_ENTRIES,
    `select sha256 from trail.token`,
    `insert into trail.token (name, sha256, role) values ('n', sha256(sha256('x')), 'admin')`,
    `copy trail.token (name, sha256, role) from stdin`,
    `update trail.token set role = 'admin'`,
    `update trail.token set revoked_at = null`,
    `update trail.token set sha256 = sha256(sha256('x'))`,
    `delete from trail.token`,
    `select * from trail.session`,
    `insert into trail.session (sha256, token_id, expires_at, idle) select sha256(sha256('x')), id, 'infinity', interval '1 year' from trail.token`,
    `update trail.session set expires_at = 'infinity'`,
    `delete from trail.session`,
    `insert into trail.access (at, action, route, status, address) values ('2020-01-01', 'read', 'x', 200, 'x')`,
    `copy trail.access (at, action, route, status, address) from stdin`,
    `update trail.access set status = 200`,
    `update trail.access set at = '2020-01-01'`,
    `delete from trail.access`,
    `truncate trail.access`,
    `select trail.retain_access(4000)`,
    `alter table trail.access alter column at set default '2020-01-01'`,
    `select * from trail.secret`,
    ENTRY,
    ADVANCE,
    `select trail.retain_days(1)`,
  ])('may not %s', async (sql) => {
    expect(await sqlStateAs('waltrail_api', sql)).toBe(REFUSED);
  });
});

describe('the keeper', () => {
  test.each([`select trail.retain_days(29)`, `select trail.retain_access(29)`])(
    'is refused by the floor: %s',
    async (sql) => {
      expect(await sqlStateAs('waltrail_keeper', sql)).toBe('WT004');
    },
  );

  test.each([
    `update trail.retention_floor set days = 1`,
    `delete from trail.retention_floor`,
    `truncate trail.retention_floor`,
    `insert into trail.retention_floor values (1)`,
    `drop table trail.retention_floor`,
    `delete from trail.access`,
  ])('may not %s', async (sql) => {
    expect(await sqlStateAs('waltrail_keeper', sql)).toBe(REFUSED);
  });

  test.each([
    `select trail.ensure_partitions(8)`,
    `select trail.roll_up(1)`,
    `select trail.retain_days(4000)`,
    `select trail.retain_access(4000)`,
  ])('may %s', async (sql) => {
    expect(await sqlStateAs('waltrail_keeper', sql)).toBe('00000');
  });

  test.each([
    ...EVERY_WAY_TO_CHANGE_ENTRIES,
    `select * from trail.entry`,
    `select * from trail.token`,
    ENTRY,
    ADVANCE,
  ])('may not %s', async (sql) => {
    expect(await sqlStateAs('waltrail_keeper', sql)).toBe(REFUSED);
  });
});

describe('roles belong to the cluster', () => {
  test('several trails of one cluster may be migrated at once', async () => {
    await using first = await freshDatabase('empty');
    await using second = await freshDatabase('empty');
    await using third = await freshDatabase('empty');
    await Promise.all([first, second, third].map(({ url }) => migrateTrail({ url, log: silentLog })));
    for (const trail of [first, second, third]) {
      expect(await trail.query('select trail.grant_roles() as missing')).toEqual([{ missing: [] }]);
    }
  });

  test('a login that may not create or join roles owns a trail that works with its own rights', async () => {
    await using plain = await freshDatabase('empty');
    const login = `owner_${plain.name}`;
    await plain.query(`create role ${login} login password 'p'`);
    try {
      await plain.query(`grant create on database ${plain.name} to ${login}`);
      const url = new URL(plain.url);
      url.username = login;
      url.password = 'p';
      await migrateTrail({ url: url.href, log: silentLog });
      const client = await connect({ url: url.href, purpose: 'test' });
      try {
        expect(await takeRole(client, 'waltrail_writer')).toBe(false);
        await client.query('select trail.ensure_partitions(8)');
        expect((await client.query('select * from trail.entry')).rows).toEqual([]);
      } finally {
        await client.end();
      }
    } finally {
      await plain.query(`drop owned by ${login} cascade`);
      await plain.query(`drop role ${login}`);
    }
  });

  test('a login that may create roles joins those that it needs without being superuser', async () => {
    await using plain = await freshDatabase('empty');
    const login = `creator_${plain.name}`;
    await plain.query(`create role ${login} login password 'p' createrole`);
    try {
      await plain.query(`grant create on database ${plain.name} to ${login}`);
      // PostgreSQL 16 and later give the creator of a role the right to grant it, not to switch to it.
      for (const role of ['waltrail_writer', 'waltrail_reader', 'waltrail_api', 'waltrail_keeper']) {
        await plain.query(`grant ${role} to ${login} with admin true, set false, inherit false`);
      }
      const url = new URL(plain.url);
      url.username = login;
      url.password = 'p';
      await migrateTrail({ url: url.href, log: silentLog });
      const client = await connect({ url: url.href, purpose: 'test' });
      try {
        expect(await takeRole(client, 'waltrail_writer')).toBe(true);
        await expect(client.query('select * from trail.entry')).rejects.toMatchObject({ code: REFUSED });
      } finally {
        await client.end();
      }
    } finally {
      await plain.query(`drop owned by ${login} cascade`);
      await plain.query(`drop role ${login}`);
    }
  });
});
