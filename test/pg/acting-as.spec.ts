import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import type { Explanation } from '../../src/explain/explanation.js';
import { noteText, REPORT_COLUMNS } from '../../src/exports/columns.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { createLog } from '../../src/log.js';
import { connect } from '../../src/pg/connect.js';
import { verifyQuick } from '../../src/proof/quick.js';
import type { Entry, EntryFilter } from '../../src/trail/read/entry.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { openTrailPool } from '../../src/trail/roles.js';
import { apiGround } from '../support/api.ts';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { waltrail } from '../support/command.ts';
import { pagedEntries } from '../support/entries.ts';

const SCHEMA = `
  create table staff (id int primary key, name text);
  create table contacts (id int primary key, name text);
  insert into staff values (3, 'Ann Admin'), (4, 'Max Support'), (7, 'Dana Levi');
  insert into contacts values (7, 'Bob Customer'), (9, 'Eve Customer');
  create table items (id int generated always as identity primary key, name text, updated_by int, tenant text);
  create table audits (id int generated always as identity primary key, contact_id int, item_id int);`;
const RULES = `modifiers:
  staff: { table: public.staff, key: id, name: "{name}" }
  contacts: { table: public.contacts, key: id, name: "{name}" }
attribution:
  - { table: public.audits, modifier: contact_id, as: contacts, row: { table: public.items, key: item_id } }
session: [{ setting: app.staff_id }, { setting: app.contact_id, as: contacts }]
tables:
  public.items: { entity: item, name: "{name}", modifier: { column: updated_by, as: contacts }, tenant: tenant }
`;
const ALWAYS = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };

let g: CaptureGround;
let pool: pg.Pool;
let reader: TrailReader;
const codes: unknown[] = [];

beforeAll(async () => {
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      codes.push((JSON.parse(chunk.toString()) as { readonly code?: unknown }).code);
      done();
    },
  });
  g = await captureGround({
    schemaSql: SCHEMA,
    yaml: RULES,
    log: createLog({ level: 'debug', destination }),
  });
  pool = openTrailPool({ url: g.trail.url, purpose: 'test', role: 'waltrail_reader', max: 2 });
  reader = new TrailReader({ pool });
});
afterAll(async () => {
  await pool?.end();
  await g?.[Symbol.asyncDispose]();
});

const say = (content: string) => `select pg_logical_emit_message(true, 'waltrail', $json$${content}$json$)`;
/** Ann acts as Bob. */
const asBob = say('{"modifier": 3, "acting_as": 7, "acting_as_table": "contacts"}');
const inOne = (...statements: readonly string[]) => `begin; ${statements.join('; ')}; commit`;
const add = (name: string, by: number | null = null) =>
  `insert into items (name, updated_by) values ('${name}', ${by})`;

const who = ({ modifier: { rung, key, name, actingAs } }: Entry): string =>
  `${rung} ${key} ${name}${actingAs === undefined ? '' : ` as ${actingAs.key} ${actingAs.name}`}`;

/** One line for each entry of items whose name begins with the prefix, oldest first. */
async function lines(prefix: string): Promise<string[]> {
  await g.caughtUp();
  const entries = await pagedEntries(reader, { ...ALWAYS, entityTypes: ['item'], q: prefix });
  return entries
    .filter(({ entity }) => entity.name?.startsWith(prefix) === true)
    .reverse()
    .map((entry) =>
      [
        entry.entity.name,
        who(entry),
        ...(entry.conflict === null ? [] : [`but ${entry.conflict.rung} ${entry.conflict.key}`]),
        ...(entry.unreadMessage === null ? [] : [entry.unreadMessage.reason]),
      ].join(' | '),
    );
}

const namesOf = async (filter: Partial<EntryFilter>): Promise<(string | null)[]> =>
  (await pagedEntries(reader, { ...ALWAYS, ...filter })).map(({ entity }) => entity.name).reverse();

const BOB = 'message 3 Ann Admin as contacts:7 Bob Customer';

describe('a message that names whom the modifier acted as', () => {
  test('causes no conflict with columns, audit rows or settings that name either of the two people', async () => {
    await g.source.query(inOne(asBob, add('agree column', 7), add('agree nobody')));
    await g.source.query(inOne(`set local app.contact_id = '7'`, asBob, add('agree session')));
    await g.source.query(
      inOne(
        asBob,
        add('agree audit'),
        `insert into audits (contact_id, item_id) select 7, max(id) from items`,
      ),
    );
    // A third person is a conflict, whichever rung names them.
    await g.source.query(inOne(asBob, add('agree not column', 9)));
    await g.source.query(inOne(`set local app.contact_id = '9'`, asBob, add('agree not session')));
    await g.source.query(
      inOne(
        asBob,
        add('agree not audit'),
        `insert into audits (contact_id, item_id) select 9, max(id) from items`,
      ),
    );
    // Both people are named, each by its own rung, before the message and after it.
    const session = `set local app.staff_id = '3'`;
    await g.source.query(inOne(session, asBob, add('agree both', 7)));
    await g.source.query(inOne(session, add('agree both late', 7), asBob));
    // Contact 3 is not Ann: her key belongs to the first table.
    await g.source.query(inOne(asBob, add('agree not 3', 3)));
    expect(await lines('agree')).toEqual([
      `agree column | ${BOB}`,
      `agree nobody | ${BOB}`,
      `agree session | ${BOB}`,
      `agree audit | ${BOB}`,
      `agree not column | ${BOB} | but column contacts:9`,
      `agree not session | ${BOB} | but session contacts:9`,
      `agree not audit | ${BOB} | but witness contacts:9`,
      `agree both | ${BOB}`,
      `agree both late | ${BOB}`,
      `agree not 3 | ${BOB} | but column contacts:3`,
    ]);
  });

  test('applies until another modifier is named, the first also to earlier changes, and never when it was rolled back', async () => {
    await g.source.query(
      inOne(
        add('place before', 7),
        asBob,
        add('place bob'),
        say('{"context": {"ticket": 1}}'),
        add('place with context'),
        say('{"modifier": 3}'),
        add('place herself'),
        say('{"modifier": 4, "acting_as": 9, "acting_as_table": "contacts"}'),
        add('place max'),
        say('{"modifier": null}'),
        add('place cleared', 9),
      ),
    );
    await g.source.query(
      inOne(
        say('{"modifier": 3}'),
        add('place kept'),
        'savepoint s',
        asBob,
        add('place undone'),
        'rollback to s',
        say('{"modifier": 4, "acting_as": 7}'),
        add('place behind'),
      ),
    );
    expect(await lines('place')).toEqual([
      `place before | ${BOB}`,
      `place bob | ${BOB}`,
      `place with context | ${BOB}`,
      'place herself | message 3 Ann Admin',
      'place max | message 4 Max Support as contacts:9 Eve Customer',
      'place cleared | column contacts:9 Eve Customer',
      'place kept | message 3 Ann Admin',
      // A key without a table belongs to the first table: it is Dana, and not Bob.
      'place behind | message 4 Max Support as 7 Dana Levi',
    ]);
  });

  test('applies to the whole transaction when it comes last, and audit rows and columns agree with it', async () => {
    const before = codes.filter((code) => code === 'PIPELINE_READ_AGAIN').length;
    await g.source.query(
      inOne(
        `insert into items (name, updated_by) select 'long ' || i || repeat(' ', 100), 7 from generate_series(1, 5000) i`,
        `insert into audits (contact_id, item_id) select 7, id from items where name like 'long 1 %'`,
        asBob,
      ),
    );
    await g.caughtUp();
    expect(
      await g.trail.query(
        `select r.modifier_key, r.acting_as_key, r.rung, count(*)::int4
           from trail.readable r join trail.entry e using (id) where r.entity_name like 'long%' and e.extra not like '%conflict%' group by 1, 2, 3`,
      ),
    ).toEqual([{ modifier_key: '3', acting_as_key: 'contacts:7', rung: 'message', count: 5000 }]);
    expect(codes.filter((code) => code === 'PIPELINE_READ_AGAIN').length).toBeGreaterThan(before);
  });

  test('names people as of the change, and only the modifier when both are the same person', async () => {
    await g.source.query(inOne(asBob, add('then first')));
    await g.source.query(
      inOne(
        `update contacts set name = 'Bob Renamed' where id = 7`,
        `update staff set name = 'Ann Renamed' where id = 3`,
        asBob,
        add('then second'),
      ),
    );
    await g.source.query(inOne(say('{"modifier": 3, "acting_as": "3"}'), add('then herself')));
    await g.source.query(
      inOne(say('{"modifier": 3, "acting_as": 3, "acting_as_table": "staff"}'), add('then so too')),
    );
    await g.source.query(
      inOne(say('{"modifier": 3, "acting_as": 11, "acting_as_name": "Forged"}'), add('then unknown')),
    );
    // A pair that has a number already is not stored a second time.
    await g.restart();
    await g.source.query(inOne(asBob, add('then third')));
    await g.source.query(`update contacts set name = 'Bob Customer' where id = 7`);
    await g.source.query(`update staff set name = 'Ann Admin' where id = 3`);
    const renamed = 'message 3 Ann Renamed as contacts:7 Bob Renamed';
    expect(await lines('then')).toEqual([
      `then first | ${BOB}`,
      `then second | ${renamed}`,
      'then herself | message 3 Ann Renamed',
      'then so too | message 3 Ann Renamed',
      // Names come from the table, whatever a message states.
      'then unknown | message 3 Ann Renamed as 11 11',
      `then third | ${renamed}`,
    ]);
    expect(
      await g.trail.query(
        `select key, name, acting_as from trail.modifier group by 1, 2, 3 having count(*) > 1`,
      ),
    ).toEqual([]);
  });

  test('keeps the modifier when the other person is not understood, counts the message, and names nobody else', async () => {
    const { messagesUnread } = g.capture.status();
    await g.source.query(inOne(say('{"modifier": 3, "acting_as": {"id": 7}}'), add('unread key', 7)));
    await g.source.query(
      inOne(
        say('{"modifier": 3, "acting_as": 7, "acting_as_table": "public.contacts"}'),
        add('unread table'),
      ),
    );
    await g.source.query(inOne(add('unread before', 7), say('{"acting_as": 7}'), add('unread nobody', 7)));
    await g.source.query(
      inOne(say('{"modifier": 3, "acting_as": ""}'), add('unread'), asBob, add('unread, then read')),
    );
    expect(await lines('unread')).toEqual([
      'unread key | message 3 Ann Admin | but column contacts:7 | acting_as is no key',
      'unread table | message 3 Ann Admin | acting_as_table is no table of modifiers',
      'unread before | unattributed null Unattributed | but column contacts:7 | no modifier beside acting_as',
      'unread nobody | unattributed null Unattributed | but column contacts:7 | no modifier beside acting_as',
      'unread | message 3 Ann Admin | acting_as is no key',
      `unread, then read | ${BOB}`,
    ]);
    expect(g.capture.status().messagesUnread).toBe(messagesUnread + 4);
    const [entry] = await pagedEntries(reader, { ...ALWAYS, q: 'unread key' });
    expect(noteText(entry!)).toBe(
      'the modifier column names Bob Customer (contacts:7); a message did not state whom the modifier acted as: acting_as is no key',
    );
  });
});

describe('reading entries whose modifier acted as somebody else', () => {
  beforeAll(async () => {
    await g.source.query(`insert into items (name, tenant) values ('of before', 'one')`);
    await g.source.query(inOne(asBob, `insert into items (name, tenant) values ('of bob', 'one')`));
    await g.source.query(
      inOne(say('{"modifier": 3}'), `insert into items (name, tenant) values ('of ann', 'one')`),
    );
    await g.source.query(
      inOne(
        say('{"modifier": 4, "acting_as": 7, "acting_as_table": "contacts"}'),
        `insert into items (name, tenant) values ('of max', 'two')`,
      ),
    );
    await g.source.query(`insert into items (name, tenant, updated_by) values ('of bob himself', 'one', 7)`);
    await g.source.query(
      inOne(
        say('{"modifier": 4, "acting_as": 9, "acting_as_table": "contacts"}'),
        `insert into items (name, tenant) values ('of eve', 'one')`,
      ),
    );
    await g.caughtUp();
  });
  /** The tenants are those of these entries alone. */
  const one: Partial<EntryFilter> = { tenant: 'one' };

  test('finds exactly who acted, and whom they acted as, in pages, counts, lists and live views', async () => {
    expect(await namesOf({ ...one, modifiers: ['3'] })).toEqual(['of bob', 'of ann']);
    expect(await namesOf({ ...one, actingAs: ['contacts:7'] })).toEqual(['of bob']);
    expect(await namesOf({ tenant: 'two', actingAs: ['contacts:7'] })).toEqual(['of max']);
    expect(await namesOf({ ...one, modifiers: ['contacts:7'] })).toEqual(['of bob himself']);
    expect(await namesOf({ ...one, modifiers: ['3'], actingAs: ['contacts:9'] })).toEqual([]);
    expect(await namesOf({ ...one, actingAs: ['7'] })).toEqual([]);
    expect(await namesOf({ ...one, actingAs: ['contacts:9', 'contacts:7'] })).toEqual(['of bob', 'of eve']);
    const { nextId } = await reader.head();
    expect(await reader.count({ ...ALWAYS, ...one, actingAs: ['contacts:7'] }, { below: nextId })).toBe(1);
    const live = await reader.after({ ...one, actingAs: ['contacts:7'] }, { id: '0', limit: 10 });
    expect(live.items.map(({ entity }) => entity.name)).toEqual(['of bob']);
    const facets = await reader.facets({ ...ALWAYS, ...one, modifiers: ['4'] });
    expect(facets.actingAs).toEqual([{ value: 'contacts:9', name: 'Eve Customer', kind: 'agent', count: 1 }]);
    expect(facets.modifiers.map(({ value, count }) => [value, count])).toContainEqual(['3', 2]);
    const searched = await reader.facetList(
      { ...ALWAYS, ...one },
      { list: 'actingAs', limit: 10, search: 'bob' },
    );
    expect(searched.items).toEqual([
      { value: 'contacts:7', name: expect.any(String), kind: 'agent', count: 1 },
    ]);
  });

  test('searches find both people by their current and former names; readers of one tenant by those on their entries', async () => {
    expect(await namesOf({ ...one, q: 'Bob Renamed' })).toEqual(['of bob', 'of bob himself']);
    expect(await namesOf({ ...one, q: 'eve cust' })).toEqual(['of eve']);
    expect(await namesOf({ scope: 'one', q: 'bob customer' })).toEqual(['of bob', 'of bob himself']);
    expect(await namesOf({ scope: 'one', q: 'Bob Renamed' })).toEqual([]);
    const inScope = await reader.facetList(
      { ...ALWAYS, scope: 'two' },
      { list: 'actingAs', limit: 10, search: 'customer' },
    );
    expect(inScope.items.map(({ value }) => value)).toEqual(['contacts:7']);
  });

  test('files have one column for whom the modifier acted as, the view of the trail has two', async () => {
    const [bob] = await pagedEntries(reader, { ...ALWAYS, q: 'of bob', actingAs: ['contacts:7'] });
    const cells = REPORT_COLUMNS.map(({ header, text }) => [header, text(bob!, new ZoneClock('UTC'))]);
    expect(cells).toContainEqual(['Modified by', 'Ann Admin']);
    expect(cells).toContainEqual(['Acting as', 'Bob Customer (contacts:7)']);
    expect(
      await g.trail.query(
        `select modified_by, modifier_key, acting_as, acting_as_key from trail.readable where entity_name like 'of %' and tenant = 'one' order by id`,
      ),
    ).toEqual([
      { modified_by: 'Unattributed', modifier_key: null, acting_as: null, acting_as_key: null },
      { modified_by: 'Ann Admin', modifier_key: '3', acting_as: 'Bob Customer', acting_as_key: 'contacts:7' },
      { modified_by: 'Ann Admin', modifier_key: '3', acting_as: null, acting_as_key: null },
      { modified_by: 'Bob Customer', modifier_key: 'contacts:7', acting_as: null, acting_as_key: null },
      {
        modified_by: 'Max Support',
        modifier_key: '4',
        acting_as: 'Eve Customer',
        acting_as_key: 'contacts:9',
      },
    ]);
  });

  test('explain shows whom the message named, and where the name comes from', async () => {
    const [bob] = await pagedEntries(reader, { ...ALWAYS, q: 'of bob', actingAs: ['contacts:7'] });
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'));
    try {
      const file = path.join(folder, 'w.yaml');
      await writeFile(
        file,
        `source: { name: test, url: "${g.source.url}", slot: slot_${g.source.name} }\ntrail: { url: "${g.trail.url}" }\n${RULES}`,
      );
      const run = (...words: string[]) =>
        waltrail(['explain', '--entry', bob!.id, ...words], { WALTRAIL_CONFIG: file });
      const { output } = await run('--json');
      expect((JSON.parse(output) as Explanation).modifier).toMatchObject({
        key: '3',
        rung: 'message',
        actingAs: {
          key: 'contacts:7',
          name: 'Bob Customer',
          lookup: { table: 'public.contacts', key: 'id' },
        },
      });
      expect((await run()).output).toMatch(
        /acting as +Bob Customer \(contacts:7\) +acting_as of the logical message/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('verify finds a row whose other person is missing, or acts as somebody itself', async () => {
    const findings = async (): Promise<string[]> => {
      const client = await connect({ url: g.trail.url, purpose: 'test' });
      try {
        const report = await verifyQuick({ client, progress: () => undefined });
        return report.findings.listed.map(({ text }) => text);
      } finally {
        await client.end();
      }
    };
    expect(await findings()).toEqual([]);
    const [row] = await g.trail.query<{ id: number }>(
      `insert into trail.modifier (id, key, name, kind, acting_as)
         select n.id, 'x', 'X', 'agent', n.id - 1 from (select max(id) + 10 as id from trail.modifier) n returning id`,
    );
    const { id } = row!;
    expect(await findings()).toEqual([
      `trail.modifier has no row ${id - 1}, to which row ${id} refers (acting_as).`,
    ]);
    const [acting] = await g.trail.query<{ id: number }>(
      `select id from trail.modifier where acting_as is not null order by id limit 1`,
    );
    await g.trail.query(`update trail.modifier set acting_as = $1 where id = $2`, [acting!.id, id]);
    expect(await findings()).toEqual([
      `Row ${acting!.id} of trail.modifier, to which row ${id} refers (acting_as), acts as somebody itself.`,
    ]);
    await g.trail.query(`delete from trail.modifier where id = $1`, [id]);
  });
});

test('the API accepts and returns both people, and refuses keys that cannot be a person', async () => {
  await using api = await apiGround();
  const token = await api.token();
  const ann = { key: '3', name: 'Ann Admin' };
  await api.add({ entityName: 'as bob', modifier: ann });
  await api.add({ entityName: 'herself', modifier: { ...ann, name: 'Ann' } });
  await api.trail.query(
    `insert into trail.modifier (id, key, name, kind) select max(id) + 1, 'contacts:7', 'Bob Customer', 'agent' from trail.modifier`,
  );
  await api.trail.query(
    `insert into trail.modifier (id, key, name, kind, acting_as) select max(id) + 1, '3', 'Ann Admin', 'agent', max(id) from trail.modifier`,
  );
  await api.trail.query(
    `update trail.entry set modifier_id = (select max(id) from trail.modifier), rung = 'm' where entity_name = 'as bob'`,
  );
  const ask = async (path: string): Promise<{ readonly status: number; readonly body: never }> => {
    const answer = await api.get(`/v1/${path}`, token);
    return { status: answer.status, body: (await answer.json()) as never };
  };
  const page = async (query: string): Promise<{ readonly entity: object; readonly modifier: object }[]> =>
    ((await ask(`entries?${query}`)).body as { items: { entity: object; modifier: object }[] }).items;
  const bob = { key: 'contacts:7', name: 'Bob Customer', kind: 'agent' };
  expect((await page('actingAs=contacts:7')).map(({ modifier }) => modifier)).toEqual([
    { ...ann, kind: 'agent', rung: 'message', actingAs: bob },
  ]);
  const both = await page('modifier=3');
  expect(both.map(({ modifier }) => 'actingAs' in modifier)).toEqual([false, true]);
  expect(await page('actingAs=contacts:8&actingAs=3')).toEqual([]);
  expect((await ask('facets/actingAs?search=bob')).body).toEqual({
    items: [{ value: 'contacts:7', name: 'Bob Customer', kind: 'agent', count: 1 }],
    more: { values: 0, entries: 0 },
  });
  expect((await ask('facets?modifier=3')).body).toMatchObject({
    actingAs: [{ value: 'contacts:7', count: 1 }],
    modifiers: [{ value: '3', count: 2 }],
    more: { actingAs: { values: 0, entries: 0 } },
  });
  expect((await ask('entries?actingAs=')).status).toBe(400);
  const asked = await api.get('/v1/exports', token, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ actingAs: ['contacts:7'] }),
  });
  expect([asked.status, ((await asked.json()) as { filters: unknown }).filters]).toEqual([
    202,
    { actingAs: ['contacts:7'] },
  ]);
});
