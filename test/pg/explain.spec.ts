import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ExplainedValue, Explanation } from '../../src/explain/explanation.js';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';
import { waltrail } from '../support/command.ts';

const SECRET = 'hunter2-of-nobody';

const SCHEMA = `
  create table teams (id int primary key, name text);
  create table agents (
    id int primary key, full_name text, blocked boolean, status int, team_id int references teams, organization_id int,
    updated_by int, password text, phone text, badge text, settings jsonb, last_seen_at timestamptz);
  create table logins (id int primary key, agent_id int, ok boolean);
  create table drafts (id int primary key)`;

/** The first of these lines is line 4 of the file. */
const RULES = `modifiers: { table: public.agents, key: id, name: "{full_name}" }
defaults:
  ignore: [last_seen_at]
  tenant: organization_id
redact:
  - { columns: [phone], with: { truncate: 3 } }
  - { columns: [badge], with: hash }
  - { columns: ["settings.pin"], with: mask }
action_names: { block: Blocked }
exclude: [public.drafts]
tables:
  public.agents:
    entity: agent
    name: "{full_name}"
    modifier: updated_by
    labels: { team_id: { table: public.teams, key: id, name: "{name}" } }
    values: { status: { 1: online, 2: away } }
    actions:
      - { on: update, changed: blocked, to: true, action: block }
      - { on: update, changed: status, when: { blocked: true }, action: seen }
  "public.login*":
    tenant: false
    where: { ok: true }
`;

let folder: string;
let ground: CaptureGround;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'));
  file = path.join(folder, 'w.yaml');
  ground = await captureGround({ schemaSql: SCHEMA, yaml: RULES });
  await write(RULES);
});
afterAll(async () => {
  await ground[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const write = (rules: string): Promise<void> =>
  writeFile(
    file,
    `source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${ground.source.name} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }

${rules}`,
  );

const run = (words: readonly string[], urls: { readonly source?: string; readonly trail?: string } = {}) =>
  waltrail(['explain', ...words], {
    WALTRAIL_CONFIG: file,
    WALTRAIL_SOURCE_URL: urls.source ?? ground.source.url,
    WALTRAIL_TRAIL_URL: urls.trail ?? ground.trail.url,
  });

async function explained(...words: string[]): Promise<Explanation> {
  const { code, output, errors } = await run([...words, '--json']);
  expect([code, errors]).toEqual([0, '']);
  return JSON.parse(output) as Explanation;
}

/** The line of the file that holds a text. */
const lineOf = (text: string): number => RULES.split('\n').findIndex((line) => line.includes(text)) + 4;
const valueOf = ({ values }: Explanation, column: string): ExplainedValue =>
  values.find((value) => value.column === column)!;

describe('explain of a possible change', () => {
  test('names where tenants and labels of other rows are looked up', async () => {
    await ground.source.query(
      `create table if not exists badges (id int primary key, team_id int, item_type text, item_id int)`,
    );
    await write(
      RULES.replace(
        'tables:\n',
        `tables:
  public.teams: { tenant: name }
  public.badges:
    name: "{team_id} {item_id}"
    tenant: { via: team_id, table: public.teams, key: id }
    labels:
      team_id: { table: public.teams, key: id, name: "{name}" }
      item_id: { type: item_type, types: { Agent: { table: public.agents, key: id, name: "{full_name}" }, Team: { table: public.teams, key: id, name: "{name}" } } }
`,
      ),
    );
    try {
      const values = '{"id": 1, "team_id": 4, "item_type": "Agent", "item_id": 7}';
      const said = await explained('public.badges', values, '--operation', 'insert');
      expect(said.tenant).toMatchObject({
        value: '(its name in public.teams)',
        rule: { key: 'tables."public.badges".tenant' },
      });
      expect(said.entity.name).toBe('(its name in public.teams) (its name in public.agents)');
      expect(valueOf(said, 'item_id').labels).toMatchObject({
        rule: { key: 'tables."public.badges".labels.item_id' },
        lookups: [
          { table: 'public.agents', key: 'id' },
          { table: 'public.teams', key: 'id' },
        ],
      });
    } finally {
      await write(RULES);
    }
  });

  test('names the rules for words of bits, elements and members of JSON, and shows the words', async () => {
    await ground.source.query(
      `create table if not exists shops (id int primary key, flags int, kinds text[], settings jsonb)`,
    );
    await write(
      RULES.replace(
        'tables:\n',
        `tables:
  public.shops:
    values: { flags: { bits: { 0: open, 3: new } }, kinds: { a: Arts }, settings.plan: { 1: Free } }
    labels: { settings.team: { table: public.teams, key: id, name: "{name}" } }
    actions: [{ on: update, changed: settings.plan, to: 1, action: downgrade }]
`,
      ),
    );
    try {
      const change = [
        '{"id": 1, "flags": 9, "kinds": "{a,b}", "settings": {"plan": 1, "team": 4}}',
        '{"id": 1, "flags": 1, "kinds": "{b}", "settings": {"plan": 2}}',
      ] as const;
      const said = await explained('public.shops', change[0], '--old', change[1]);
      expect(said.action.category).toBe('downgrade');
      const key = (text: string) => `tables."public.shops".${text}`;
      expect(valueOf(said, 'flags')).toMatchObject({
        previous: { text: '1', label: 'open' },
        updated: { text: '9', label: 'open, new' },
        labels: { rule: { key: key('values.flags') } },
      });
      expect(valueOf(said, 'kinds')).toMatchObject({
        updated: { label: 'Arts, b' },
        labels: { rule: { key: key('values.kinds') } },
      });
      expect(valueOf(said, 'settings')).toMatchObject({
        updated: { label: 'plan: Free' },
        labels: null,
        memberLabels: [
          { member: 'settings.plan', rule: { key: key('values."settings.plan"') }, lookups: [] },
          {
            member: 'settings.team',
            rule: { key: key('labels."settings.team"') },
            lookups: [{ table: 'public.teams', key: 'id' }],
          },
        ],
      });
      const { output } = await run(['public.shops', change[0], '--old', change[1]]);
      expect(output).toMatch(
        /label of member settings\.team: looked up in public\.teams by id: \S+w\.yaml:\d+/,
      );
    } finally {
      await write(RULES);
    }
  });

  test('lists the keys that decide, with their lines', async () => {
    const said = await explained(
      'public.agents',
      '{"blocked": true, "status": 2, "team_id": 4, "updated_by": 7}',
    );
    const at = (text: string) => expect.stringMatching(new RegExp(`w\\.yaml:${lineOf(text)}:\\d+$`));
    expect(said).toMatchObject({
      table: 'public.agents',
      operation: 'update',
      leftOut: null,
      rule: { at: at('public.agents:'), key: 'tables."public.agents"' },
      action: {
        category: 'block',
        shown: { text: 'Blocked', rule: { at: at('action_names') } },
        rules: [{ at: at('action: block'), key: 'tables."public.agents".actions[0]' }],
        unknown: [],
      },
      entity: {
        type: 'agent',
        rule: { at: at('entity: agent') },
        idColumns: ['id'],
        idBecause: 'primary key',
        nameRule: { at: at('    name: "{full_name}"') },
      },
      tenant: { rule: { at: at('tenant: organization_id'), key: 'defaults.tenant', isTakenOver: true } },
      modifier: {
        rung: 'column',
        key: '7',
        rules: [{ at: at('modifier: updated_by') }],
        lookup: { table: 'public.agents', key: 'id', rule: { at: at('modifiers:') } },
      },
    });
    expect(valueOf(said, 'status')).toMatchObject({
      updated: { text: '2', label: 'away' },
      labels: { rule: { at: at('values:') }, lookups: [] },
    });
    expect(valueOf(said, 'team_id')).toMatchObject({
      updated: { text: '4' },
      labels: { lookups: [{ table: 'public.teams', key: 'id' }] },
    });
    const { output } = await run(['public.agents', '{"blocked": true}']);
    expect(output).toContain('update of public.agents: makes an entry\n');
    expect(output).toMatch(/\n {2}action +block +\S+w\.yaml:\d+:\d+: tables\."public\.agents"\.actions\[0\]/);
  });

  test('reports changes that make no entry, and rules that it cannot decide', async () => {
    expect((await explained('public.agents', '{"last_seen_at": "2026-01-01"}')).leftOut).toMatchObject({
      by: 'ignore',
      rule: { key: 'defaults.ignore', isTakenOver: true },
    });
    const same = await explained('public.agents', '{"status": 1}', '--old', '{"status": 1}');
    expect(same.leftOut).toEqual({ by: 'nothing changed', rule: null });
    const login = await explained('public.logins', '{"ok": false}', '--operation', 'insert');
    expect(login.leftOut).toMatchObject({ by: 'where', rule: { key: 'tables."public.login*".where' } });
    expect(login.entity).toMatchObject({ type: 'login', because: 'table name', rule: null });
    const status = await explained('public.agents', '{"status": 1}');
    expect(status.action).toMatchObject({
      category: 'edit',
      rules: [],
      unknown: [{ key: 'tables."public.agents".actions[1]' }],
    });
    const known = await explained('public.agents', '{"status": 1}', '--old', '{"blocked": true}');
    expect(known.action).toMatchObject({ category: 'seen', unknown: [] });
  });

  test('never prints a given secret, and names the rule that masks it', async () => {
    const values = JSON.stringify({
      full_name: 'Dana',
      password: SECRET,
      phone: `555${SECRET}`,
      badge: SECRET,
      settings: { theme: 'dark', pin: SECRET, api_token: SECRET },
    });
    for (const words of [
      ['public.agents', values],
      ['public.agents', values, '--operation', 'insert'],
      ['public.agents', '{"id": 1}', '--old', values],
      ['public.agents', values.slice(0, -2)],
      ['public.agents', values.replace('"full_name"', '"fullname"')],
    ]) {
      const texts = [await run(words), await run([...words, '--json'])];
      for (const { output, errors } of texts) expect(output + errors).not.toContain(SECRET);
    }
    const said = await explained('public.agents', values, '--operation', 'insert');
    expect(valueOf(said, 'password')).toMatchObject({
      stored: 'masked',
      updated: { text: '***' },
      rule: null,
      why: expect.stringContaining('secrets.defaults'),
    });
    expect(valueOf(said, 'phone')).toMatchObject({
      stored: 'shortened',
      updated: { text: '555…' },
      rule: { key: 'redact[0]' },
    });
    expect(valueOf(said, 'badge')).toMatchObject({ stored: 'as a hash', updated: { text: '(hash)' } });
    expect(said.remarks.join()).toContain('Hashes are computed with a key of the trail');
    expect(valueOf(said, 'settings')).toMatchObject({
      stored: 'with secrets masked in it',
      members: [
        { member: 'pin', stored: 'masked', rule: { key: 'redact[2]' } },
        { member: 'api_token', stored: 'masked', rule: null },
      ],
    });
  });

  test('refuses a wrong name with the nearest one, and a table that is not tracked with the reason', async () => {
    for (const [words, message] of [
      [['agents', '{}'], 'Did you mean "public.agents"?'],
      [['public.agnets', '{}'], 'Did you mean "public.agents"?'],
      [['public.agents', '{"blokced": true}'], 'has no column "blokced". Did you mean "blocked"?'],
      [['public.agents', 'blocked'], 'must be a JSON object'],
      [['public.agents', '{"status": [1]}'], 'The value of "status" must be'],
      [['public.drafts', '{}'], /w\.yaml:\d+:\d+: exclude\[0\] excludes it/],
      [['public.teams', '{}'], 'no key of tables matches it'],
      [['--entry', '12'], 'The trail has no entry "12"'],
    ] as const) {
      const { code, errors } = await run(words);
      expect({ words, code, errors }).toEqual({
        words,
        code: 1,
        errors:
          typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
      });
    }
    expect((await run(['public.agents'])).code).toBe(2);
  });

  test('works without a trail, and reports that', async () => {
    const { code, output } = await run(['public.agents', '{"blocked": true}'], {
      trail: 'postgres://nobody@127.0.0.1:1/none',
    });
    expect([code, output]).toEqual([0, expect.stringContaining('The trail could not be asked')]);
  });
});

describe('explain after capture', () => {
  const CHANGES: readonly {
    readonly sql: string;
    readonly words: readonly string[];
  }[] = [
    {
      sql: `insert into agents values (1, 'Dana', false, 1, null, 5, 9, '${SECRET}', '555123', null, '{"api_token": "${SECRET}"}', null)`,
      words: [
        `{"id": 1, "full_name": "Dana", "blocked": false, "status": 1, "team_id": null, "organization_id": 5, "updated_by": 9,
          "password": "${SECRET}", "phone": "555123", "badge": null, "settings": {"api_token": "${SECRET}"}, "last_seen_at": null}`,
        '--operation',
        'insert',
      ],
    },
    {
      sql: `update agents set blocked = true, updated_by = 7 where id = 1`,
      words: [
        `{"blocked": true, "updated_by": 7}`,
        '--old',
        `{"id": 1, "full_name": "Dana", "blocked": false, "updated_by": 9, "organization_id": 5}`,
      ],
    },
    {
      sql: `update agents set status = 2, last_seen_at = now() where id = 1`,
      words: [
        `{"status": 2, "last_seen_at": "2026-01-01"}`,
        '--old',
        `{"id": 1, "full_name": "Dana", "status": 1, "blocked": true, "updated_by": 7, "organization_id": 5}`,
      ],
    },
    {
      sql: `update agents set organization_id = 6 where id = 1`,
      words: [
        `{"organization_id": 6}`,
        '--old',
        `{"id": 1, "full_name": "Dana", "organization_id": 5, "updated_by": 7}`,
      ],
    },
    {
      sql: `delete from agents where id = 1`,
      words: [
        `{"id": 1, "full_name": "Dana", "blocked": true, "status": 2, "organization_id": 6, "phone": "555123"}`,
        '--operation',
        'delete',
      ],
    },
  ];

  test('shows the stored action, entity, modifier, tenant and values', async () => {
    for (const { sql } of CHANGES) await ground.source.query(sql);
    const entries = (await ground.caughtUp()).filter(({ table }) => table === 'public.agents');
    expect(entries).toHaveLength(CHANGES.length);
    for (const [index, { words }] of CHANGES.entries()) {
      const said = await explained('public.agents', ...words);
      const entry = entries[index]!;
      expect({
        action: said.action.category,
        type: said.entity.type,
        id: said.entity.id,
        name: said.entity.name,
        tenant: said.tenant?.value,
        modifierKey: said.modifier.key,
      }).toEqual({
        action: entry.action,
        type: entry.entityType,
        id: entry.entityId,
        name: entry.entityName,
        tenant: entry.tenant,
        modifierKey: entry.modifierKey,
      });
      const shown = said.values.filter(({ stored }) => stored !== 'ignored');
      for (const { column, previous, updated } of shown) {
        expect([column, previous?.text]).toEqual([column, entry.previous?.[column]]);
        expect([column, updated?.text]).toEqual([column, entry.updated?.[column]]);
      }
      const columns = Object.keys(entry.updated ?? {}).filter((column) => column !== 'last_seen_at');
      if (said.operation === 'update') expect(shown.map(({ column }) => column)).toEqual(columns);
    }
  });

  test('masks a column that the trail remembers as masked, for its name or for its earlier one', async () => {
    const why = async (column: string) =>
      valueOf(await explained('public.agents', `{"${column}": "${SECRET}"}`), column).why;
    expect(await why('password')).toContain('secrets.defaults');
    await ground.source.query('alter table agents rename password to greeting');
    try {
      expect(await why('greeting')).toBe('it was public.agents.password before, which is redacted');
    } finally {
      await ground.source.query('alter table agents rename greeting to password');
    }
  });

  test('names the same keys for a stored entry, also without the source', async () => {
    const entries = (await ground.entries()).filter(({ table }) => table === 'public.agents');
    const [insert, block, seen] = entries.map(({ id }: PlainEntry) => String(id));
    const said = await explained('--entry', block!);
    expect(said).toMatchObject({
      action: { category: 'block', rules: [{ key: 'tables."public.agents".actions[0]' }] },
      modifier: { rung: 'column', key: '7', rules: [{ key: 'tables."public.agents".modifier' }] },
      entity: { type: 'agent', id: '1', name: 'Dana' },
      tenant: { value: '5' },
      remarks: [],
    });
    expect(said.action.rules[0]!.at).toMatch(/w\.yaml:\d+:\d+$/);
    // Whether the agent was blocked is not in the entry of an update that did not touch it.
    expect((await explained('--entry', seen!)).action.rules).toEqual([
      expect.objectContaining({ key: 'tables."public.agents".actions[1]' }),
    ]);
    const alone = await run(['--entry', insert!], { source: 'postgres://nobody@127.0.0.1:1/none' });
    expect([alone.code, alone.output]).toEqual([0, expect.stringContaining('The source could not be asked')]);
    expect(alone.output).toMatch(/password +\*\*\* +masked: its name is that of a secret/);
  });

  test('uses the configuration that made the entry when the file has changed since', async () => {
    const [{ id }] = (await ground.entries()).filter(({ action }) => action === 'block') as [PlainEntry];
    await write(RULES.replace('entity: agent', 'entity: person').replace('action: block', 'action: lock'));
    try {
      const said = await explained('--entry', String(id));
      expect(said.action).toMatchObject({ category: 'block', rules: [{ at: null }] });
      expect(said.entity).toMatchObject({ type: 'agent', rule: { at: null } });
      expect(said.remarks.join()).toContain('The file differs from it in: tables.public.agents.');
      const made = await explained('public.agents', '{"blocked": true}');
      expect(made.action.category).toBe('lock');
      expect(made.remarks.join()).toContain('not in effect yet');
    } finally {
      await write(RULES);
    }
  });
});
