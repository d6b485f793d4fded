import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { viewGround, type AnsweredEntry, type ViewGround } from '../support/tenant-view.ts';

const SCHEMA = `
  create type channel as enum ('email', 'live chat', 'null');
  create domain mask as int;
  create table tags (id int primary key, title text);
  create table accounts (
    id int primary key,
    flags int not null default 0,
    wide bigint,
    narrow smallint,
    own mask,
    switches bit(10),
    longer bit varying,
    roles int[],
    channels channel[],
    tag_ids int[],
    words text[],
    settings jsonb,
    raw json
  );
  insert into tags values (1, 'Urgent'), (2, 'Billing, paid'), (3, 'Old');`;
const YAML = `tables:
  public.accounts:
    entity: account
    values:
      flags: { bits: { 0: inbound emails, 1: live chat, 31: hidden } }
      wide: { bits: { 0: low, 62: very far } }
      narrow: { bits: { 15: sign } }
      own: { bits: { 2: third } }
      switches: { bits: { 0: first, 9: tenth } }
      longer: { bits: { 3: fourth } }
      roles: { 1: administrator, 2: agent }
      channels: { live chat: Chat, "null": Nothing }
      settings.plan: { 1: Free, pro: Professional }
      settings."smtp.host".port: { 25: plain }
      raw.plan: { 7: Seven }
    labels:
      tag_ids: { table: public.tags, key: id, name: "{title}" }
      settings.tag_id: { table: public.tags, key: id, name: "{title}" }
    actions:
      - { on: update, changed: settings.plan, to: pro, action: upgrade }
      - { on: update, changed: [settings."smtp.host".port, raw.plan], action: reconfigure }
      - { on: insert, when: { settings.plan: [1, pro] }, action: subscribe }`;

type Answered = AnsweredEntry & {
  readonly changes?: readonly {
    readonly column: string;
    readonly member?: string;
    readonly removed: readonly string[];
    readonly added: readonly string[];
  }[];
};

describe('words of parts of values', () => {
  let g: CaptureGround;
  let views: ViewGround;

  beforeAll(async () => {
    g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    views = await viewGround(g.trail);
  });
  afterAll(async () => {
    await views[Symbol.asyncDispose]();
    await g[Symbol.asyncDispose]();
  });

  const entriesOf = async (id: number, query = ''): Promise<readonly Answered[]> => {
    await g.caughtUp();
    const all = (await (await views.as(null)).items(query)) as readonly Answered[];
    return all.filter(({ entity }) => entity['id'] === String(id)).reverse();
  };
  const last = async (id: number): Promise<Answered> => (await entriesOf(id)).at(-1)!;
  const idsFound = async (q: string): Promise<readonly string[]> => {
    await g.caughtUp();
    const found = await (await views.as(null)).items(`&q=${encodeURIComponent(q)}`);
    return [...new Set(found.map(({ entity }) => entity['id']!))].sort();
  };

  test('name the set bits of bit masks, and which were set and cleared', async () => {
    await g.source.query(
      `insert into accounts (id, flags, wide, narrow, own, switches, longer)
       values (1, 9, 4611686018427387905, -32768, 4, b'1000000001', b'1001')`,
    );
    expect((await last(1)).labels?.updated).toEqual({
      flags: 'inbound emails, bit 3',
      wide: 'low, very far',
      narrow: 'sign',
      own: 'third',
      switches: 'first, tenth',
      longer: 'bit 0, fourth',
    });
    await g.source.query(`update accounts set flags = -2147483646 where id = 1`);
    const entry = await last(1);
    expect(entry.updated).toEqual({ flags: -2147483646 });
    expect(entry.labels).toEqual({
      previous: { flags: 'inbound emails, bit 3' },
      updated: { flags: 'live chat, hidden' },
    });
    expect(entry.changes).toEqual([
      { column: 'flags', removed: ['inbound emails', 'bit 3'], added: ['live chat', 'hidden'] },
    ]);
    await g.source.query(`update accounts set flags = 0 where id = 1`);
    expect((await last(1)).labels?.updated).toEqual({ flags: 'none' });
    for (const q of ['hidden', 'very far', 'tenth', 'fourth', 'bit 3'])
      expect(await idsFound(q)).toEqual(['1']);
    expect(await idsFound('bit 44')).toEqual([]);
  });

  test('name the elements of arrays, from the YAML or from another table as of the change', async () => {
    await g.source.query(
      `insert into accounts (id, roles, channels, tag_ids, words) values
         (2, '{1,9,NULL}', '{email,"live chat","null"}', '[0:1]={1,2}', '{"a,1,b",1}')`,
    );
    expect((await last(2)).labels?.updated).toEqual({
      flags: 'none',
      roles: 'administrator, 9, null',
      channels: 'email, Chat, Nothing',
      tag_ids: 'Urgent, Billing, paid',
    });
    await g.source.query(`update tags set title = 'Very urgent' where id = 1`);
    await g.source.query(
      `update accounts set tag_ids = '{2,3,77}', channels = '{email}', words = '{1,"c d"}', roles = '{{1,2}}' where id = 2`,
    );
    const entry = await last(2);
    expect(entry.labels).toEqual({
      previous: {
        roles: 'administrator, 9, null',
        channels: 'email, Chat, Nothing',
        tag_ids: 'Very urgent, Billing, paid',
      },
      updated: { tag_ids: 'Billing, paid, Old, 77' },
    });
    expect(entry.updated).toMatchObject({ roles: '{{1,2}}', tag_ids: '{2,3,77}' });
    expect(entry.changes).toEqual([
      { column: 'channels', removed: ['Chat', 'Nothing'], added: [] },
      { column: 'tag_ids', removed: ['Very urgent'], added: ['Old', '77'] },
      { column: 'words', removed: ['a,1,b'], added: ['c d'] },
    ]);
    for (const q of ['administrator', 'Chat', 'Nothing', 'Very urgent', 'Billing'])
      expect(await idsFound(q)).toContain('2');
    // Element 1 of words has no word, and a quoted text is another element.
    expect(await idsFound('agent')).toEqual([]);
  });

  test('name JSON members with their paths, and actions; the entry tells which member differs', async () => {
    await g.source.query(
      `insert into accounts (id, settings, raw) values
         (3, '{"plan": 1, "smtp.host": {"port": 25}, "tag_id": 3, "list": [1, 2]}', '{"plan":1,"plan":7}')`,
    );
    const first = await last(3);
    expect(first.action).toBe('subscribe');
    expect(first.labels?.updated).toMatchObject({
      settings: 'plan: Free, "smtp.host".port: plain, tag_id: Old',
      raw: 'plan: Seven',
    });
    await g.source.query(
      `update accounts set settings = settings || '{"list": [2, 5], "plan": "pro"}' where id = 3`,
    );
    const upgraded = await last(3);
    expect(upgraded.action).toBe('upgrade');
    expect(upgraded.changes).toEqual([
      { column: 'settings', member: 'list', removed: ['1'], added: ['5'] },
      { column: 'settings', member: 'plan', removed: ['Free'], added: ['Professional'] },
    ]);
    await g.source.query(
      `update accounts set settings = settings || '{"list": [], "tag_id": 2}' where id = 3`,
    );
    const edited = await last(3);
    expect(edited.action).toBe('edit');
    expect(edited.changes).toContainEqual({
      column: 'settings',
      member: 'tag_id',
      removed: ['Old'],
      added: ['Billing, paid'],
    });
    await g.source.query(`update accounts set raw = '{"plan": 7, "plan": 8.00}' where id = 3`);
    expect((await last(3)).action).toBe('reconfigure');
    expect((await last(3)).changes).toEqual([
      { column: 'raw', member: 'plan', removed: ['Seven'], added: ['8.00'] },
    ]);
    await g.source.query(
      `update accounts set settings = jsonb_set(settings, '{smtp.host,port}', '587') where id = 3`,
    );
    expect((await last(3)).action).toBe('reconfigure');
    for (const q of ['Free', 'Professional', 'Seven', 'Billing', 'plain'])
      expect(await idsFound(q)).toContain('3');
  });

  test('are the same in every answer and file, and add no version of the table at a restart', async () => {
    const versions = async (): Promise<unknown> =>
      g.trail.query(`select count(*)::int4 as count from trail.relation where table_name = 'accounts'`);
    await g.caughtUp();
    const before = await versions();
    await g.restart();
    await g.source.query(`insert into accounts (id, flags) values (4, 2)`);
    await g.caughtUp();
    expect(await versions()).toEqual(before);
    const view = await views.as(null);
    const listed = await view.items();
    const everything = await view.everything();
    // Lines of the file. Those of the live stream follow one another.
    const lines = everything
      .split('\n')
      .filter((line) => line.startsWith('{"id":') && !line.includes('}{"id":'));
    const filed = new Map(
      lines.map((line) => JSON.parse(line) as Answered).map((entry) => [entry.id, entry]),
    );
    for (const entry of listed) expect(filed.get(entry.id)).toEqual(entry);
    for (const text of ['live chat, hidden (-2147483646)', 'Very urgent, Billing, paid ([0:1]={1,2})'])
      expect(everything).toContain(text);
  });

  test('are not used for long values, which are shown and searched unchanged', async () => {
    await g.source.query(
      `insert into accounts (id, roles, settings) select 5, array_agg(1), jsonb_object_agg('m' || i, 1) || '{"plan": 1}'
         from generate_series(1, 8000) i`,
    );
    expect((await last(5)).labels?.updated).toEqual({ flags: 'none' });
    await g.source.query(
      `update accounts set settings = settings || '{"m1": 2}', roles = roles || 2 where id = 5`,
    );
    const entry = await last(5);
    expect(entry.changes).toEqual([
      { column: 'roles', removed: [], added: ['2'] },
      { column: 'settings', removed: [], added: [], notCompared: true },
    ]);
    await g.source.query(`update accounts set settings = null where id = 5`);
    expect((await last(5)).changes).toBeUndefined();
  });
});
