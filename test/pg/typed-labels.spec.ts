import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { viewGround } from '../support/tenant-view.ts';

const SCHEMA = `
  create table tasks (id int primary key, title text);
  create table people (id int primary key, account_id int, name text);
  create table pins (id int primary key, item_type text, item_id int, account_id int, note text);
  insert into tasks values (7, 'Paint');
  insert into people values (7, 11, 'Dana'), (8, 22, 'Omer');`;
const YAML = `tables:
  public.people: { tenant: account_id }
  public.pins:
    name: "{item_type}: {item_id}"
    tenant: account_id
    labels:
      item_id:
        type: item_type
        types: { Task: { table: public.tasks, key: id, name: "{title}" }, "Crm::Person": { table: public.people, key: id, name: "{name}" } }`;

interface Shown {
  readonly id: string;
  readonly name: string | null;
  readonly previous: unknown;
  readonly updated: unknown;
}

/** Names and labels of pins, oldest first. */
async function shown(g: CaptureGround, tenant: string | null = null, query = ''): Promise<Shown[]> {
  await g.caughtUp();
  await using views = await viewGround(g.trail);
  const items = await (await views.as(tenant)).items(`&entityType=pin${query}`);
  return items
    .map(({ id, entity, labels }) => ({
      id,
      name: entity['name'] ?? null,
      previous: labels?.previous['item_id'] ?? null,
      updated: labels?.updated['item_id'] ?? null,
    }))
    .reverse();
}

describe('words of a key of a table that another column names', () => {
  test('are those of that table as of the change, in names, labels, searches and files, also after a restart', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(
      `insert into pins values (1, 'Task', 7), (2, 'Crm::Person', 7), (3, 'Gone::Class', 7), (4, null, 7), (5, 'Task', 99)`,
    );
    await g.source.query(`update tasks set title = 'Paint it' where id = 7`);
    await g.restart();
    await g.source.query(`update pins set item_id = 8 where id = 2`);
    await g.source.query(`update pins set item_type = 'Task' where id = 2`);
    await g.source.query(`update pins set item_type = 'Task', item_id = 7 where id = 3`);
    await g.source.query(`update pins set item_type = 'Crm::Person', note = 'x' where id = 1`);
    await g.source.query(`delete from pins where id = 3`);
    const found = await shown(g);
    expect(found.map(({ name, previous, updated }) => [name, previous, updated])).toEqual([
      ['Task: Paint', null, 'Paint'],
      ['Crm::Person: Dana', null, 'Dana'],
      ['Gone::Class: 7', null, null],
      [': 7', null, null],
      ['Task: 99', null, null],
      ['Crm::Person: Omer', 'Dana', 'Omer'],
      ['Task: 8', null, null],
      // The type was another before, so the key may have belonged to another table.
      ['Task: Paint it', null, null],
      ['Crm::Person: Dana', null, null],
      ['Task: Paint it', 'Paint it', null],
    ]);
    expect((await shown(g, null, '&q=Omer')).map(({ id }) => id)).toEqual([found[5]!.id]);
    await using views = await viewGround(g.trail);
    const everything = await (await views.as(null)).everything();
    expect(everything).toContain('Omer');
  });

  test('use the types that the YAML names, and repeated starts add no versions to the trail', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    const versions = async (): Promise<number> =>
      (
        await g.trail.query<{ count: number }>(
          `select count(*)::int4 as count from trail.relation where table_name = 'pins'`,
        )
      )[0]!.count;
    const change = async (from: number): Promise<void> => {
      await g.source.query(
        `insert into pins select $1 + i, case i % 3 when 0 then 'Task' when 1 then 'Crm::Person' else 'Class' || i end, 7 from generate_series(1, 30) i`,
        [from],
      );
      await g.caughtUp();
    };
    await change(0);
    expect(await versions()).toBe(3);
    for (const from of [100, 200]) {
      await g.restart();
      await change(from);
    }
    expect(await versions()).toBe(3);
  });

  test('are in no name and no label that a reader of another tenant sees', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(
      `insert into pins values (1, 'Crm::Person', 7, 11), (2, 'Crm::Person', 8, 11), (3, 'Task', 7, 11)`,
    );
    expect((await shown(g, '11')).map(({ name, updated }) => [name, updated])).toEqual([
      ['Crm::Person: Dana', 'Dana'],
      ['Crm::Person: 8', null],
      ['Task: Paint', 'Paint'],
    ]);
  });
});
