import { describe, expect, test } from '@jest/globals';
import { captureGround, testConfig, type CaptureGround } from '../support/capture.ts';
import { viewGround } from '../support/tenant-view.ts';

const SCHEMA = `
  create table contacts (id int primary key, account_id int, name text);
  create table conversations (id int primary key, account_id int, contact_id int, number int, api_token text);
  create table messages (id int primary key, conversation_id int references conversations on delete cascade, body text);
  create table pins (id int primary key, account_id int, conversation_id int);
  insert into contacts values (1, 11, 'Dana'), (2, 22, 'Omer');
  insert into conversations values (5, 11, 1, 1005, 'canary'), (6, 22, 2, 1006, 'canary')`;
const LABEL = 'conversation_id: { table: public.conversations, key: id, name: "#{number}" }';
const YAML = `tables:
  public.contacts: { tenant: account_id }
  public.conversations: { tenant: account_id, labels: { contact_id: { table: public.contacts, key: id, name: "{name}" } } }
  public.messages:
    name: "{conversation_id} ({conversation_id.number}) of {conversation_id.contact_id}: {body}"
    labels: { ${LABEL} }
  public.pins:
    name: "{conversation_id.contact_id.account_id} {conversation_id.contact_id}{conversation_id.api_token}"
    tenant: account_id
    labels: { ${LABEL} }`;

const namesOf = async (g: CaptureGround, type: string): Promise<(string | null)[]> =>
  (await g.caughtUp()).filter(({ entityType }) => entityType === type).map(({ entityName }) => entityName);

describe('a name with columns of rows that the row refers to', () => {
  test('has their words across two tables, each as of the change, also within a transaction and across a restart', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(`insert into messages values (1, 5, 'a')`);
    await g.capture.stop();
    await g.source.query(`update contacts set name = 'Dana Levi' where id = 1`);
    await g.source.query(`update messages set body = 'b' where id = 1`);
    await g.source.query(`update conversations set contact_id = 2, number = 7 where id = 5`);
    await g.source.query(`update messages set body = 'c' where id = 1`);
    await g.source.query(`begin;
      insert into contacts values (3, 11, 'Noa'); insert into conversations values (8, 11, 3, 8);
      insert into messages values (2, 8, 'new'); delete from conversations where id = 8; commit`);
    await g.restart();
    await g.source.query(`update conversations set contact_id = null where id = 5`);
    await g.source.query(`update messages set body = 'd' where id = 1`);
    expect(await namesOf(g, 'message')).toEqual([
      '#1005 (1005) of Dana: a',
      '#1005 (1005) of Dana Levi: b',
      '#7 (7) of Omer: c',
      '#8 (8) of Noa: new',
      '#8 (8) of Noa: new',
      '#7 (7) of : d',
    ]);
  });

  test('has them after a reload, also from rows that existed before', async () => {
    const before = YAML.replace(/ {4}name: "\{conversation_id\} .*\n/, '');
    expect(before).not.toBe(YAML);
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: before });
    await g.source.query(`insert into messages values (1, 5, 'a')`);
    await g.caughtUp();
    const next = testConfig({ source: g.source, trail: g.trail, yaml: YAML });
    expect(await g.capture.reload(next, { by: null })).toBe('in effect');
    await g.source.query(`insert into messages values (2, 6, 'b')`);
    expect(await namesOf(g, 'message')).toEqual([null, '#1006 (1006) of Omer: b']);
  });

  test('shows keys of rows that are unknown or of another tenant, and redacts as their table does', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(`insert into pins values (1, 11, 5), (2, 11, 6), (3, 11, 99)`);
    expect(await namesOf(g, 'pin')).toEqual(['11 Dana***', '6 66', '99 9999']);
    await g.source.query(`update conversations set contact_id = 2 where id = 5`);
    await g.source.query(`insert into pins values (4, 11, 5)`);
    expect((await namesOf(g, 'pin')).at(-1)).toBe('2 2***');
  });
});

describe('the word of a label from a column of a further table', () => {
  const THROUGH =
    YAML.replace(/ {2}public\.messages:[^]*/, '') +
    `  public.messages:
    name: "{conversation_id}: {body}"
    labels: { conversation_id: { table: public.conversations, key: id, name: "{contact_id.name}" } }
  public.pins: { tenant: account_id, labels: { conversation_id: { table: public.conversations, key: id, name: "{contact_id.name}" } } }`;

  test('is as of each entry, in lists, names, searches and files, although nothing is stored again when it changes', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: THROUGH });
    await g.source.query(`insert into messages values (1, 5, 'a')`);
    await g.source.query(`update contacts set name = 'Dana Levi' where id = 1`);
    await g.source.query(`insert into messages values (2, 5, 'b')`);
    await g.source.query(`update conversations set contact_id = 2 where id = 5`);
    await g.source.query(`insert into messages values (3, 5, 'c')`);
    await g.restart();
    await g.source.query(`update contacts set name = 'Omer Katz' where id = 2`);
    await g.source.query(`update messages set conversation_id = 6 where id = 3`);
    await g.source.query(`update conversations set contact_id = null where id = 5`);
    await g.source.query(`insert into messages values (4, 5, 'd')`);
    await g.caughtUp();
    await using views = await viewGround(g.trail);
    const all = await views.as(null);
    const found = (await all.items('&entityType=message')).toReversed();
    const labels = found.map(({ labels }) =>
      [labels?.previous, labels?.updated].map((side) => side?.['conversation_id']),
    );
    expect(labels).toEqual([
      [undefined, 'Dana'],
      [undefined, 'Dana Levi'],
      [undefined, 'Omer'],
      ['Omer Katz', 'Omer Katz'],
      [undefined, undefined],
    ]);
    expect(found.map(({ entity }) => entity['name'])).toEqual([
      'Dana: a',
      'Dana Levi: b',
      'Omer: c',
      'Omer Katz: c',
      ': d',
    ]);
    for (const [q, ids] of [
      ['Dana+Levi', [1]],
      ['Katz', [3]],
      ['Noa', []],
    ] as const) {
      const hits = await all.items(`&entityType=message&q=${q}`);
      expect([q, hits.map(({ id }) => id)]).toEqual([q, ids.map((index) => found[index]!.id)]);
    }
    const renamed = await g.trail.query(`select from trail.lookup where table_name = 'public.conversations'`);
    expect(renamed).toEqual([]);
    expect(await all.everything()).toContain('Omer Katz');
  });

  test('is shown to no reader of another tenant, and found by none', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: THROUGH });
    await g.source.query(`update contacts set account_id = 22 where id = 1`);
    await g.source.query(
      `insert into contacts values (3, 11, 'Noa'); insert into conversations values (8, 11, 3, 8)`,
    );
    await g.source.query(`insert into pins values (1, 11, 5), (2, 11, 6), (3, 11, 8)`);
    await g.caughtUp();
    await using views = await viewGround(g.trail);
    const own = await views.as('11');
    const shown = (await own.items('&entityType=pin'))
      .toReversed()
      .map(({ labels }) => labels?.updated['conversation_id']);
    expect(shown).toEqual([undefined, undefined, 'Noa']);
    for (const [q, count] of [
      ['Dana', 0],
      ['Omer', 0],
      ['Noa', 1],
    ] as const)
      expect([q, (await own.items(`&entityType=pin&q=${q}`)).length]).toEqual([q, count]);
  });
});
