import type pg from 'pg';
import type { Random } from './random.js';

/**
 * A kind of event in the sample CRM, as one small transaction. `weight` is its frequency relative to the
 * others.
 */
export interface Scene {
  readonly name: string;
  readonly weight: number;
  play(stage: Stage): Promise<void>;
}

/** `client` is inside a transaction, which the caller commits. */
export interface Stage {
  readonly client: pg.Client;
  readonly random: Random;
}

interface Person {
  readonly id: number;
  readonly organization_id: number;
}

/** Most rows in tables that scenes add to. Older rows are deleted, as a retention job would do. */
const MAX_ROWS = 1500;
const PRUNED_AT_ONCE = 25;

export const SCENES: readonly Scene[] = [
  { name: 'sign in', weight: 10, play: signIn },
  { name: 'fail to sign in', weight: 4, play: failToSignIn },
  { name: 'sign out', weight: 8, play: signOut },
  { name: 'be seen', weight: 8, play: beSeen },
  { name: 'edit a customer', weight: 14, play: editCustomer },
  { name: 'close a conversation', weight: 10, play: closeConversation },
  { name: 'reopen a conversation', weight: 8, play: reopenConversation },
  { name: 'assign a conversation', weight: 9, play: assignConversation },
  { name: 'send a message', weight: 12, play: sendMessage },
  { name: 'block or activate an agent', weight: 4, play: blockOrActivate },
  { name: 'tag a customer', weight: 8, play: tagCustomer },
  { name: 'change a setting', weight: 4, play: changeSetting },
  { name: 'edit a campaign', weight: 4, play: editCampaign },
  { name: 'count campaign messages', weight: 4, play: countSent },
  { name: 'change a list', weight: 4, play: changeList },
  { name: 'switch a module', weight: 2, play: switchModule },
  { name: 'prune', weight: 3, play: prune },
];

async function signIn(stage: Stage): Promise<void> {
  const agent = await somebody(stage);
  if (agent === undefined) return;
  await recordLogin(stage, { agent, kind: 'in', ok: true });
  await stage.client.query(
    /* sql */ `update public.agents set status = 1, last_seen_at = now(), updated_at = now(), updated_by = id where id = $1`,
    [agent.id],
  );
}

async function failToSignIn(stage: Stage): Promise<void> {
  const agent = await somebody(stage);
  if (agent !== undefined) await recordLogin(stage, { agent, kind: 'in', ok: false });
}

async function signOut(stage: Stage): Promise<void> {
  const agent = await somebody(stage);
  if (agent === undefined) return;
  await recordLogin(stage, { agent, kind: 'out', ok: true });
  await stage.client.query(
    /* sql */ `update public.agents set status = 3, last_seen_at = now(), updated_at = now(), updated_by = id where id = $1`,
    [agent.id],
  );
}

/** Ignored columns only: makes no entry. */
async function beSeen(stage: Stage): Promise<void> {
  const agent = await somebody(stage);
  await stage.client.query(
    /* sql */ `update public.agents set last_seen_at = now(), updated_at = now() where id = $1`,
    [agent?.id],
  );
}

async function editCustomer(stage: Stage): Promise<void> {
  const { client, random } = stage;
  const agent = await somebody(stage);
  const customer = await one<{ id: string }>(stage, {
    sql: /* sql */ `select id from public.customers where organization_id = $1`,
    values: [agent?.organization_id],
  });
  if (agent === undefined || customer === undefined) return;
  const change = random.pick([
    { set: 'phone = $3', value: `+1 555 01${random.between(100, 999)}` },
    { set: 'email = $3', value: `customer${random.between(1000, 9999)}@mail.example` },
    { set: 'balance = balance + $3::numeric', value: (random.between(-5000, 5000) / 100).toFixed(2) },
    { set: 'vip = $3', value: String(random.next() < 0.2) },
    {
      set: `attributes = jsonb_set(attributes, '{orders}', $3::jsonb)`,
      value: String(random.between(0, 40)),
    },
  ]);
  await client.query(
    /* sql */ `update public.customers set ${change.set}, updated_at = now(), updated_by = $1 where id = $2`,
    [agent.id, customer.id, change.value],
  );
}

async function closeConversation(stage: Stage): Promise<void> {
  await changeConversation(stage, {
    where: `state <> 'closed'`,
    set: `state = 'closed', closed_at = now()`,
  });
}

async function reopenConversation(stage: Stage): Promise<void> {
  await changeConversation(stage, { where: `state = 'closed'`, set: `state = 'open', closed_at = null` });
}

async function assignConversation(stage: Stage): Promise<void> {
  await changeConversation(stage, { where: `agent_id is distinct from $1`, set: `agent_id = $1` });
}

/** Changes a conversation. `where` and `set` come from this file; `$1` in them is the agent who acts. */
async function changeConversation(stage: Stage, change: { where: string; set: string }): Promise<void> {
  const agent = await somebody(stage);
  const conversation = await one<{ id: string }>(stage, {
    sql: /* sql */ `select id from public.conversations where $1::int4 > 0 and organization_id = $2 and ${change.where}`,
    values: [agent?.id, agent?.organization_id],
  });
  await stage.client.query(
    /* sql */ `update public.conversations set ${change.set}, updated_at = now(), updated_by = $1::int4 where id = $2`,
    [agent?.id, conversation?.id],
  );
}

async function sendMessage(stage: Stage): Promise<void> {
  const agent = await somebody(stage);
  const conversation = await one<{ id: string }>(stage, {
    sql: /* sql */ `select id from public.conversations where organization_id = $1 and state <> 'closed'`,
    values: [agent?.organization_id],
  });
  if (agent === undefined || conversation === undefined) return;
  await stage.client.query(
    /* sql */ `insert into public.messages (organization_id, conversation_id, agent_id, body) values ($1, $2, $3, $4)`,
    [
      agent.organization_id,
      conversation.id,
      agent.id,
      stage.random.pick([
        'I have corrected it, please try again.',
        'Could you send us a picture of the invoice?',
        'Our technician comes tomorrow between 9 and 12.',
        'The refund is on its way and takes three days.',
      ]),
    ],
  );
}

/**
 * Blocks an agent, or unblocks the blocked one. At most one agent of the two organisations is blocked at a
 * time, and never an admin or a supervisor, who could undo it.
 */
async function blockOrActivate(stage: Stage): Promise<void> {
  const agent = await one<Person & { blocked: boolean }>(stage, {
    sql: /* sql */ `select id, organization_id, blocked from public.agents as candidate
                     where role = 'agent' and (blocked or not exists (select from public.agents where blocked))`,
    values: [],
  });
  const boss = await one<Person>(stage, {
    sql: /* sql */ `select id from public.agents where organization_id = $1 and role in ('admin', 'supervisor') and not blocked`,
    values: [agent?.organization_id],
  });
  if (agent === undefined || boss === undefined) return;
  await stage.client.query(
    /* sql */ `update public.agents set blocked = not blocked, updated_at = now(), updated_by = $1 where id = $2`,
    [boss.id, agent.id],
  );
}

/**
 * Adds or removes a tag as the bot. The bot states who it is in a logical message of its transaction, which
 * takes precedence, with its rule and confidence as context. It also sets the modifier column, as this
 * application does in each update.
 */
async function tagCustomer(stage: Stage): Promise<void> {
  const { client, random } = stage;
  const bot = await one<{ id: number; full_name: string; organization_id: number }>(stage, {
    sql: /* sql */ `select id, full_name, organization_id from public.agents where role = 'bot'`,
    values: [],
  });
  const customer = await one<{ id: string }>(stage, {
    sql: /* sql */ `select id from public.customers where organization_id = $1`,
    values: [bot?.organization_id],
  });
  if (bot === undefined || customer === undefined) return;
  await client.query(/* sql */ `select pg_logical_emit_message(true, 'waltrail', $1)`, [
    JSON.stringify({
      modifier: String(bot.id),
      name: bot.full_name,
      kind: 'bot',
      context: {
        rule: random.pick(['language', 'churn risk', 'good mood']),
        confidence: random.between(60, 99) / 100,
      },
    }),
  ]);
  // The tag is added and removed in turn, so that the list of tags does not grow.
  await client.query(
    /* sql */ `update public.customers
                  set tags = case when $1 = any (tags) then array_remove(tags, $1) else tags || $1::text end, updated_at = now(), updated_by = $3
                where id = $2`,
    [random.pick(['at-risk', 'happy', 'spanish', 'needs-call']), customer.id, bot.id],
  );
}

/** Changes a setting without any modifier, so that the change is unattributed. */
async function changeSetting(stage: Stage): Promise<void> {
  const { client, random } = stage;
  const setting = random.pick([
    { key: 'session_minutes', value: String(random.pick([15, 30, 45, 60])) },
    { key: 'auto_close_days', value: String(random.between(7, 30)) },
    { key: 'two_factor_required', value: String(random.next() < 0.5) },
  ]);
  await client.query(
    /* sql */ `update public.settings set value = $1, updated_at = now(), updated_by = null where key = $2 and organization_id = $3`,
    [setting.value, setting.key, random.between(1, 2)],
  );
}

async function editCampaign(stage: Stage): Promise<void> {
  const campaign = await one<{ id: number; organization_id: number }>(stage, {
    sql: /* sql */ `select id, organization_id from public.campaigns`,
    values: [],
  });
  const agent = await somebody(stage, campaign?.organization_id);
  const set = stage.random.pick([
    `budget = coalesce(budget, 1000) + ${stage.random.between(-200, 250)}.50`,
    `state = case state when 'running' then 'paused' else 'running' end`,
  ]);
  await stage.client.query(
    /* sql */ `update public.campaigns set ${set}, updated_at = now(), updated_by = $1 where id = $2`,
    [agent?.id, campaign?.id],
  );
}

/** Ignored columns only: makes no entry. */
async function countSent(stage: Stage): Promise<void> {
  await stage.client.query(
    /* sql */ `update public.campaigns set sent_count = sent_count + $1, updated_at = now() where state = 'running'`,
    [stage.random.between(1, 50)],
  );
}

async function changeList(stage: Stage): Promise<void> {
  const list = await one<{ id: number; organization_id: number }>(stage, {
    sql: /* sql */ `select id, organization_id from public.campaign_lists`,
    values: [],
  });
  const agent = await somebody(stage, list?.organization_id);
  const customer = await one<{ id: string }>(stage, {
    sql: /* sql */ `select id from public.customers where organization_id = $1`,
    values: [list?.organization_id],
  });
  if (list === undefined || agent === undefined || customer === undefined) return;
  // A deleted row cannot say who deletes it, so this part of the application sends a message.
  await stage.client.query(/* sql */ `select pg_logical_emit_message(true, 'waltrail', $1)`, [
    JSON.stringify({ modifier: String(agent.id) }),
  ]);
  const { rowCount } = await stage.client.query(
    /* sql */ `delete from public.list_members where list_id = $1 and customer_id = $2`,
    [list.id, customer.id],
  );
  if (rowCount === 1) return;
  await stage.client.query(
    /* sql */ `insert into public.list_members (list_id, customer_id, added_by) values ($1, $2, $3)`,
    [list.id, customer.id, agent.id],
  );
}

async function switchModule(stage: Stage): Promise<void> {
  const agent = await somebody(stage);
  await stage.client.query(
    /* sql */ `update public.modules set enabled = not enabled, updated_by = $1 where organization_id = $2 and name = $3`,
    [agent?.id, agent?.organization_id, stage.random.pick(['chatbot', 'voice', 'reports'])],
  );
}

/** Acts as a retention job: names itself as the modifier and deletes the oldest rows of growing tables. */
async function prune({ client }: Stage): Promise<void> {
  for (const table of ['messages', 'login_events']) {
    const { rows } = await client.query<{ extra: number }>(
      /* sql */ `select (count(*) - $1)::int as extra from public.${table}`,
      [MAX_ROWS],
    );
    const extra = Math.min(rows[0]!.extra, PRUNED_AT_ONCE);
    if (extra <= 0) continue;
    await client.query(/* sql */ `select pg_logical_emit_message(true, 'waltrail', $1)`, [
      JSON.stringify({
        modifier: 'retention',
        name: 'Retention job',
        kind: 'system',
        context: { keep: MAX_ROWS },
      }),
    ]);
    await client.query(
      /* sql */ `delete from public.${table} where id in (select id from public.${table} order by id limit $1)`,
      [extra],
    );
  }
}

/** Returns an agent who is a person and is not blocked, of one organisation or of any. */
async function somebody(stage: Stage, organization?: number): Promise<Person | undefined> {
  return await one<Person>(stage, {
    sql: /* sql */ `select id, organization_id from public.agents where role <> 'bot' and not blocked and $1 in (0, organization_id)`,
    values: [organization ?? 0],
  });
}

async function recordLogin(
  stage: Stage,
  login: { readonly agent: Person; readonly kind: 'in' | 'out'; readonly ok: boolean },
): Promise<void> {
  const { agent, kind, ok } = login;
  await stage.client.query(
    /* sql */ `insert into public.login_events (organization_id, agent_id, kind, ok, ip) values ($1, $2, $3, $4, $5)`,
    [
      agent.organization_id,
      agent.id,
      kind,
      ok,
      `10.20.${agent.organization_id}.${stage.random.between(2, 250)}`,
    ],
  );
}

/**
 * Returns one row of a query that yields `id`. It is chosen by the stage's random numbers and not by the
 * server's, so that a seed repeats a run.
 */
async function one<T extends object>(
  { client, random }: Stage,
  query: { readonly sql: string; readonly values: readonly unknown[] },
): Promise<T | undefined> {
  const salt = `$${query.values.length + 1}`;
  const { rows } = await client.query<T>(
    /* sql */ `select * from (${query.sql}) as candidate order by md5(id || ${salt}::text) limit 1`,
    [...query.values, String(random.between(0, 1_000_000_000))],
  );
  return rows[0];
}
