import { expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';

const SCHEMA = `
  create table people (email text primary key, name text);
  insert into people values ('dana@example.com', 'Dana'), ('omer@example.com', 'Omer');
  create table items (email text primary key, title text, owner_email text, org_email text);`;

const ground = (method: string): Promise<CaptureGround> =>
  captureGround({
    schemaSql: SCHEMA,
    yaml: `
redact: [ { columns: ["*email*"], with: ${method} } ]
modifiers: { table: public.people, key: email, name: "{name}" }
tables:
  public.items: { entity: item, name: "{title} <{email}>", modifier: owner_email, tenant: org_email, labels: { owner_email: { table: public.people, key: email, name: "{name}" } } }`,
  });

async function everythingStored(g: CaptureGround): Promise<string> {
  const tables = ['entry', 'modifier', 'tenant', 'lookup', 'relation'];
  const rows = await Promise.all(tables.map((table) => g.trail.query(`select * from trail.${table}`)));
  return JSON.stringify(rows);
}

test.each(['drop', 'mask', 'hash', '{ truncate: 1 }'])(
  'a column redacted with %s is in no id, name, modifier, tenant or lookup either',
  async (method) => {
    await using g = await ground(method);
    await g.source.query(
      `insert into items values ('item@example.com', 'A', 'dana@example.com', 'org@example.com')`,
    );
    await g.source.query(`insert into people values ('new@example.com', 'New')`);
    await g.source.query(`update people set email = 'newer@example.com' where name = 'New'`);
    await g.source.query(`update items set title = 'B', owner_email = 'new@example.com'`);
    await g.source.query(`delete from items`);
    expect(await g.caughtUp()).toHaveLength(3);
    expect(await everythingStored(g)).not.toContain('example.com');
  },
);

test('a hashed key still finds its name, and a masked key finds no wrong name', async () => {
  await using hashed = await ground('hash');
  await hashed.source.query(`insert into items values ('i', 'A', 'dana@example.com', null)`);
  expect(await hashed.caughtUp()).toMatchObject([{ modifier: 'Dana', rung: 'c' }]);
  await using masked = await ground('mask');
  await masked.source.query(`insert into items values ('i', 'A', 'dana@example.com', null)`);
  expect(await masked.caughtUp()).toMatchObject([{ modifier: '***', rung: 'c' }]);
});
