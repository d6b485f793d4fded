import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { viewGround, type AnsweredEntry } from '../support/tenant-view.ts';

const SCHEMA = `
  create table teams (id int primary key, organization_id int, name text);
  create table countries (code text primary key, name text);
  create table agents (id int primary key, organization_id int, full_name text, blocked boolean, team_id int, country text, note text);
  insert into teams values (31, 1, 'Blue team'), (32, 2, 'Red team'), (33, null, 'Nobody team');
  insert into countries values ('de', 'Germany'), ('fr', 'France');`;

const AGENTS = `entity: agent, name: "{full_name} of {team_id}", tenant: organization_id,
    labels: { team_id: { table: public.teams, key: id, name: "{name}" }, country: { table: public.countries, key: code, name: "{name}" } },
    actions: [ { on: update, changed: blocked, to: true, action: suspend } ]`;
const YAML = `
tables:
  public.agents: { ${AGENTS} }
  public.teams: { entity: team, name: "{name}", tenant: organization_id }`;

const ground = (yaml = YAML, schemaSql = SCHEMA): Promise<CaptureGround> =>
  captureGround({ schemaSql, yaml });

/** What is stored of moves, read by plain SQL, in the order of the entries. */
const movesOf = (g: CaptureGround): Promise<unknown[]> =>
  g.trail.query(
    `select e.entity_id as id, e.previous_entity_id as before, n.name as tenant,
            case when e.previous_tenant_id = 0 then 'none' else p.name end as "tenantBefore"
       from trail.entry e
       left join trail.tenant n on n.id = e.tenant_id
       left join trail.tenant p on p.id = e.previous_tenant_id
      where e.operation = 'u' and e.rung <> 'w' order by e.id`,
  );

const update = (entries: readonly AnsweredEntry[]): AnsweredEntry | undefined =>
  entries.find(
    ({ previous, updated, moved }) => moved !== undefined || (previous !== null && updated !== null),
  );

describe('a row that moves to another tenant and another id', () => {
  /** Words that only one side of the move has, and too long to occur in a time or a position by chance. */
  const OLD = ['70017001', 'Dana Old', 'Blue team', 'Germany', 'old note'];
  const NEW = ['80028002', 'Dana New', 'Red team', 'France', 'new note', 'suspend', 'asked by two'];

  async function moved(): Promise<CaptureGround> {
    const g = await ground();
    await g.source.query(
      `begin;
       select pg_logical_emit_message(true, 'waltrail', '{"modifier": "5", "context": {"reason": "asked by two"}}');
       insert into agents values (70017001, 1, 'Dana Old', false, 31, 'de', 'old note');
       commit`.replace('asked by two', 'hired by one'),
    );
    await g.source.query(
      `begin;
       select pg_logical_emit_message(true, 'waltrail', '{"modifier": "5", "context": {"reason": "asked by two"}}');
       update agents set id = 80028002, organization_id = 2, full_name = 'Dana New', blocked = true, team_id = 32, country = 'fr', note = 'new note';
       commit`,
    );
    await g.caughtUp();
    return g;
  }

  test('is one entry, which readers of all tenants find under both tenants and ids', async () => {
    await using g = await moved();
    await using views = await viewGround(g.trail);
    const all = await views.as(null);
    const entry = update(await all.items());
    expect(entry).toMatchObject({
      action: 'suspend',
      entity: { type: 'agent', id: '80028002', previousId: '70017001', name: 'Dana New of Red team' },
      tenant: '2',
      moved: { side: 'both', previousTenant: '1' },
      previous: { id: 70017001, full_name: 'Dana Old' },
      updated: { id: 80028002, full_name: 'Dana New' },
      labels: { previous: { team_id: 'Blue team' }, updated: { team_id: 'Red team' } },
      context: { reason: 'asked by two' },
    });
    for (const query of [
      'entity=70017001',
      'entity=80028002',
      'tenant=1',
      'tenant=2',
      'q=Dana+Old+of',
      'q=80028002',
    ])
      expect([query, update(await all.items(`&${query}`))?.id]).toEqual([query, entry!.id]);
    for (const id of ['70017001', '80028002']) {
      const { items } = await all.get<{ items: AnsweredEntry[] }>(`entities/agent/${id}/history`);
      expect(items.map(({ id }) => id)).toContain(entry!.id);
    }
    const { tenants } = await all.get<{ tenants: { value: string; count: number }[] }>('facets');
    expect(tenants).toEqual([
      { value: '1', name: '1', count: 2 },
      { value: '2', name: '2', count: 1 },
    ]);
    expect(await movesOf(g)).toEqual([
      { id: '80028002', before: '70017001', tenant: '2', tenantBefore: '1' },
    ]);
  });

  test('is shown as leaving to readers of the old tenant, without values of the new one', async () => {
    await using g = await moved();
    await using views = await viewGround(g.trail);
    const old = await views.as('1');
    const [left] = await old.items();
    expect(left).toMatchObject({
      action: 'moved_to_another_tenant',
      entity: { type: 'agent', id: '70017001', name: 'Dana Old of Blue team' },
      tenant: '1',
      moved: { side: 'left' },
      previous: { id: 70017001, full_name: 'Dana Old', note: 'old note', blocked: false },
      updated: null,
      labels: { previous: { team_id: 'Blue team', country: 'Germany' }, updated: {} },
      context: null,
    });
    const everything = await old.everything();
    expect(NEW.filter((word) => everything.includes(word))).toEqual([]);
    expect(everything).toContain('in another tenant');
    expect(everything).toContain('hired by one');
    for (const query of [
      'q=Dana+New',
      'q=80028002',
      'q=new+note',
      'q=true',
      'action=suspend',
      'entity=80028002',
    ])
      expect([query, await old.items(`&${query}`)]).toEqual([query, []]);
    for (const query of ['q=Dana+Old', 'entity=70017001', 'q=old+note', 'action=moved_to_another_tenant'])
      expect([query, (await old.items(`&${query}`))[0]?.id]).toEqual([query, left!.id]);
    const { items } = await old.get<{ items: AnsweredEntry[] }>('entities/agent/70017001/history');
    expect(items.map(({ action }) => action)).toEqual(['moved_to_another_tenant', 'add']);
    expect(await old.get('entities/agent/80028002/history')).toMatchObject({ items: [] });
    expect(await old.get('facets')).toMatchObject({
      actions: [{ value: 'add', count: 1 }, { value: 'moved_to_another_tenant', count: 1 }],
      tenants: [{ value: '1', count: 2 }],
    }); // prettier-ignore
  });

  test('is shown as arriving to readers of the new tenant, without values of the old one', async () => {
    await using g = await moved();
    await using views = await viewGround(g.trail);
    const now = await views.as('2');
    const [arrived, ...others] = await now.items();
    expect(others).toEqual([]);
    expect(arrived).toMatchObject({
      action: 'moved_from_another_tenant',
      entity: { type: 'agent', id: '80028002', name: 'Dana New of Red team' },
      tenant: '2',
      moved: { side: 'arrived' },
      previous: null,
      updated: { id: 80028002, full_name: 'Dana New', note: 'new note', blocked: true },
      labels: { previous: {}, updated: { team_id: 'Red team', country: 'France' } },
      context: { reason: 'asked by two' },
    });
    const everything = await now.everything();
    expect([...OLD, 'hired by one', 'suspend'].filter((word) => everything.includes(word))).toEqual([]);
    for (const query of ['q=Dana+Old', 'q=70017001', 'q=false', 'action=suspend', 'entity=70017001'])
      expect([query, await now.items(`&${query}`)]).toEqual([query, []]);
    expect(await now.items('&entity=80028002&action=moved_from_another_tenant&q=Dana+New')).toHaveLength(1);
    const third = await views.as('3');
    expect(await third.items()).toEqual([]);
    await expect(third.get(`entries/${arrived!.id}`)).rejects.toThrow('404');
  });
});

describe('the stored move', () => {
  test('has the ids of composite keys as entries have them, and no name when a part of it was not sent', async () => {
    await using g = await ground(
      `tables: { public.pairs: { entity: pair, name: "{note} {org}", tenant: org } }`,
      `create table pairs (a text, b text, org text not null, note text, primary key (a, b, org))`,
    );
    await g.source.query(`insert into pairs values ('a,b', 'c', 'one', 'x')`);
    await g.source.query(`update pairs set a = 'a', b = 'b,c'`);
    await g.source.query(`update pairs set org = 'two'`);
    // From here on the source sends only keys as old rows.
    await g.source.query(`alter table pairs replica identity default`);
    await g.source.query(`update pairs set org = 'three'`);
    await g.caughtUp();
    expect(await movesOf(g)).toEqual([
      { id: 'a,b\\,c,one', before: 'a\\,b,c,one', tenant: 'one', tenantBefore: null },
      { id: 'a,b\\,c,two', before: 'a,b\\,c,one', tenant: 'two', tenantBefore: 'one' },
      { id: 'a,b\\,c,three', before: 'a,b\\,c,two', tenant: 'three', tenantBefore: 'two' },
    ]);
    expect(
      await g.trail.query(
        `select entity_name, previous_entity_name from trail.entry where operation = 'u' and rung <> 'w' order by id`,
      ),
    ).toEqual([
      { entity_name: 'x one', previous_entity_name: null },
      { entity_name: 'x two', previous_entity_name: 'x one' },
      { entity_name: 'x three', previous_entity_name: null },
    ]);
  });

  const TABLES = `
  public.agents: { ${AGENTS}, ignore: [organization_id] }
  public.keyed: { entity: keyed, tenant: org }
  public.pairs: { entity: pair, id: [a, b], tenant: org }`;
  const MORE = `${SCHEMA}
  create table keyed (id text primary key, org text, note text);
  create table pairs (a int, b int, org text, note text, primary key (a, b));`;

  test('has the id when only the key was sent, and nothing without an old row', async () => {
    await using g = await ground(`tables:${TABLES}`, MORE);
    await g.source.query(`alter table keyed replica identity default`);
    await g.source.query(`insert into keyed values ('k1', 'one', 'a'), ('k2', 'one', 'a')`);
    await g.source.query(`update keyed set id = 'k3', org = 'two', note = 'b' where id = 'k1'`);
    await g.source.query(`update keyed set org = 'two', note = 'b' where id = 'k2'`);
    await g.source.query(`insert into pairs values (1, 2, 'one', 'a')`);
    await g.source.query(`update pairs set b = 3`);
    await g.source.query(`update pairs set org = null`);
    await g.source.query(`update pairs set note = 'b'`);
    await g.source.query(`update pairs set org = 'two'`);
    await g.caughtUp();
    expect(await movesOf(g)).toEqual([
      { id: 'k3', before: 'k1', tenant: 'two', tenantBefore: null },
      { id: 'k2', before: null, tenant: 'two', tenantBefore: null },
      { id: '1,3', before: '1,2', tenant: 'one', tenantBefore: null },
      { id: '1,3', before: '1,3', tenant: null, tenantBefore: 'one' },
      { id: '1,3', before: null, tenant: null, tenantBefore: null },
      { id: '1,3', before: '1,3', tenant: 'two', tenantBefore: 'none' },
    ]);
    await using views = await viewGround(g.trail);
    // The previous tenant is unknown, so no reader of one tenant sees the previous values.
    expect(update(await (await views.as('two')).items('&entity=k2'))).toMatchObject({
      previous: {},
      unknown: ['org', 'note'],
    });
    const [left] = await (await views.as('one')).items('&action=moved_to_another_tenant');
    expect(left).toMatchObject({ entity: { id: '1,3' }, previous: { org: 'one' }, updated: null });
    const readable = await g.trail.query(
      `select previous_entity_id, changed_tenant, previous_tenant from trail.readable where entity_id = '1,3' and operation = 'update' order by id`,
    );
    expect(readable).toEqual([
      { previous_entity_id: '1,2', changed_tenant: false, previous_tenant: null },
      { previous_entity_id: '1,3', changed_tenant: true, previous_tenant: 'one' },
      { previous_entity_id: null, changed_tenant: false, previous_tenant: null },
      { previous_entity_id: '1,3', changed_tenant: true, previous_tenant: null },
    ]);
  });

  test('exists although the tenant column is ignored and not shown', async () => {
    await using g = await ground(`tables:${TABLES}`, MORE);
    await g.source.query(`insert into agents values (1, 1, 'Dana', false, 31, 'de', 'a')`);
    await g.source.query(`update agents set organization_id = 2, note = 'b'`);
    await g.caughtUp();
    expect(await movesOf(g)).toEqual([{ id: '1', before: '1', tenant: '2', tenantBefore: '1' }]);
  });

  test.each([
    ['hash', true],
    ['mask', false],
  ])('is compared and stored redacted with %s', async (method, isSeen) => {
    await using g = await ground(
      `redact: [ { columns: [org, id], with: ${method} } ]\ntables:${TABLES}`,
      MORE,
    );
    await g.source.query(`insert into keyed values ('secret one', 'secret org', 'a')`);
    await g.source.query(`update keyed set id = 'secret two', org = 'secret other', note = 'b'`);
    await g.caughtUp();
    const [move] = (await movesOf(g)) as {
      id: string;
      before: string | null;
      tenantBefore: string | null;
    }[];
    expect([move!.before !== null, move!.tenantBefore !== null]).toEqual([isSeen, isSeen]);
    expect(JSON.stringify(await g.trail.query(`select * from trail.readable`))).not.toContain('secret');
  });
});

describe('labels of rows of another tenant', () => {
  test('are hidden from readers of one tenant, in values and in names', async () => {
    await using g = await ground();
    await g.source.query(
      `insert into agents values (1, 1, 'Dana', false, 32, 'de', 'a'), (2, 1, 'Omer', false, 31, 'fr', 'a')`,
    );
    await g.source.query(`insert into agents values (3, 1, 'Noa', false, 33, 'fr', 'a')`);
    await g.source.query(`update teams set organization_id = 2 where id = 31`);
    await g.source.query(`insert into agents values (4, 1, 'Gil', false, 31, 'de', 'a')`);
    await g.caughtUp();
    await using views = await viewGround(g.trail);
    const labelsOf = async (tenant: string | null): Promise<unknown[]> =>
      [...(await (await views.as(tenant)).items('&entityType=agent'))]
        .reverse()
        .map(({ entity, labels }) => [entity.name, labels?.updated.team_id, labels?.updated.country]);
    expect(await labelsOf(null)).toEqual([
      ['Dana of 32', 'Red team', 'Germany'],
      ['Omer of Blue team', 'Blue team', 'France'],
      ['Noa of 33', 'Nobody team', 'France'],
      ['Gil of 31', 'Blue team', 'Germany'],
    ]);
    expect(await labelsOf('1')).toEqual([
      ['Dana of 32', undefined, 'Germany'],
      ['Omer of Blue team', 'Blue team', 'France'],
      ['Noa of 33', undefined, 'France'],
      ['Gil of 31', undefined, 'Germany'],
    ]);
    // As in a trail of an earlier release: their tenant is not known.
    await g.trail.query(`update trail.lookup set tenant = null`);
    expect(await labelsOf('1')).toEqual([
      ['Dana of 32', undefined, 'Germany'],
      ['Omer of Blue team', undefined, 'France'],
      ['Noa of 33', undefined, 'France'],
      ['Gil of 31', undefined, 'Germany'],
    ]);
  });

  test('are recognised by the column that the label names, where the table is not tracked', async () => {
    await using g = await ground(`
tables:
  public.agents: { entity: agent, tenant: organization_id, labels: { team_id: { table: public.teams, key: id, name: "{name}", tenant: organization_id } } }`);
    await g.source.query(
      `insert into agents values (1, 1, 'Dana', false, 32, 'de', 'a'), (2, 1, 'Omer', false, 31, 'fr', 'a')`,
    );
    await g.caughtUp();
    await using views = await viewGround(g.trail);
    const items = await (await views.as('1')).items();
    expect(items.map(({ labels }) => labels?.updated.team_id)).toEqual(['Blue team', undefined]);
  });
});
