/** An entry of the API's JSON; `{ $number: '…' }` stands for a number with exactly this text. */
export interface MockEntry {
  readonly id: string;
  readonly committedAt: string;
  readonly modifier: {
    key: string | null;
    name: string;
    kind: string | null;
    rung: string;
    actingAs?: { key: string; name: string; kind: string };
  };
  readonly action: string;
  readonly actionName?: string;
  readonly entity: { type: string; name: string | null; id: string | null };
  readonly tenant: string | null;
  readonly previous: Readonly<Record<string, unknown>> | null;
  readonly updated: Readonly<Record<string, unknown>> | null;
  readonly unknown?: readonly string[];
  readonly instants?: readonly string[];
  readonly jsonNulls?: { previous?: readonly string[]; updated?: readonly string[] };
  readonly labels?: { previous?: Record<string, string>; updated?: Record<string, string> };
  readonly table: string;
  readonly operation: 'insert' | 'update' | 'delete' | 'truncate' | 'baseline';
  readonly transaction: { xid: string; commitLsn: string; seq: number };
  readonly context: unknown;
  readonly unreadMessage?: { lsn: string; reason: string };
  readonly lastSetBy?: { key: string; name: string; kind: string };
  readonly conflict?: { key: string; name: string; kind: string; rung: string };
}

/** What a test sets in an entry. The rest is made up. */
export type NewEntry = Partial<Omit<MockEntry, 'id' | 'modifier' | 'entity'>> & {
  readonly modifier?: Partial<MockEntry['modifier']>;
  readonly entity?: Partial<MockEntry['entity']>;
};

const dana = { key: '7', name: 'Dana Levi', kind: 'agent', rung: 'column' };
const omer = { key: '12', name: 'Omer Katz', kind: 'agent', rung: 'message' };
const noa = { key: '15', name: 'Noa Ben-David', kind: 'agent', rung: 'message' };
const bot = { key: '31', name: 'Tag Robot', kind: 'bot', rung: 'column' };
const nobody = { key: null, name: 'Unattributed', kind: null, rung: 'unattributed' };

/** Kinds of entries of the sample CRM. A trail of any length repeats them in turn. */
const SAMPLES: readonly NewEntry[] = [
  {
    modifier: dana,
    action: 'block',
    entity: { type: 'agent', name: 'Omer Katz', id: '12' },
    previous: { blocked: false, status: 1 },
    updated: { blocked: true, status: 3 },
    labels: { previous: { status: 'online' }, updated: { status: 'offline' } },
    table: 'public.agents',
  },
  {
    modifier: bot,
    action: 'tag',
    entity: { type: 'customer', name: 'Acme Logistics', id: '4108' },
    previous: { tags: '{lead}' },
    updated: { tags: '{lead,enterprise,renewal-q4}' },
    table: 'public.customers',
  },
  {
    modifier: omer,
    action: 'close',
    entity: { type: 'conversation', name: 'Invoice 2026-118 was charged twice', id: '90211' },
    previous: { state: 'open', closed_at: null },
    updated: { state: 'closed', closed_at: '2026-11-23 09:51:07.123456+00' },
    table: 'public.conversations',
    context: { request: 'c0ffee-12', ip: '10.1.4.22' },
  },
  {
    modifier: nobody,
    action: 'set',
    entity: { type: 'setting', name: 'routing.rules', id: '1:routing.rules' },
    previous: {
      value: {
        queue: 'default',
        limits: { perAgent: 5, maxWait: 300 },
        channels: ['email', 'chat'],
        fallback: null,
      },
    },
    updated: {
      value: {
        queue: 'priority',
        limits: { perAgent: 5, maxWait: 120 },
        channels: ['email', 'chat', 'whatsapp'],
        fallback: 'supervisors',
      },
    },
    table: 'public.settings',
  },
  {
    modifier: noa,
    action: 'edit',
    entity: { type: 'customer', name: 'Rivka Stern', id: '4120' },
    previous: { balance: { $number: '1200.50' }, phone: '+972 3 555 0188', notes: '' },
    updated: {
      balance: { $number: '98765432109876543210.10' },
      phone: null,
      notes: 'Prefers to be called after five.',
    },
    table: 'public.customers',
  },
  {
    modifier: { key: '19', name: 'Yael Mizrahi', kind: 'agent', rung: 'column' },
    action: 'login_failed',
    entity: { type: 'login', name: '203.0.113.24', id: '55120' },
    previous: null,
    updated: {
      id: { $number: '55120' },
      agent_id: 19,
      kind: 'in',
      ok: false,
      ip: '203.0.113.24',
      at: '2026-11-23 09:44:12.5+00',
    },
    labels: { updated: { agent_id: 'Yael Mizrahi' } },
    operation: 'insert',
    table: 'public.login_events',
  },
  {
    modifier: dana,
    action: 'add',
    entity: { type: 'campaign', name: 'Winter renewals', id: '88' },
    previous: null,
    updated: {
      id: 88,
      name: 'Winter renewals',
      channel: 'email',
      state: 'draft',
      scheduled_at: null,
      budget: { $number: '25000.00' },
      audience: { segment: 'enterprise', minOrders: 3 },
    },
    operation: 'insert',
    table: 'public.campaigns',
  },
  {
    modifier: bot,
    action: 'edit',
    entity: { type: 'conversation', name: 'Cannot sign in since Tuesday', id: '90230' },
    previous: {},
    updated: { priority: 1 },
    labels: { updated: { priority: 'urgent' } },
    unknown: ['priority', 'transcript'],
    table: 'public.conversations',
  },
  {
    modifier: omer,
    action: 'delete',
    entity: { type: 'module', name: 'Voice add-on', id: '1:voice' },
    previous: { organization_id: 1, name: 'voice', enabled: true },
    updated: null,
    operation: 'delete',
    table: 'public.modules',
  },
  {
    modifier: dana,
    action: 'activate',
    entity: { type: 'agent', name: 'Yael Mizrahi', id: '19' },
    previous: { blocked: true },
    updated: { blocked: false },
    table: 'public.agents',
  },
];

/** Returns the entry at `index` of an endless trail, or one that a test describes. */
export function makeEntry(index: number, at: number, said?: NewEntry): MockEntry {
  const sample = said ?? SAMPLES[index % SAMPLES.length]!;
  return {
    committedAt: new Date(at)
      .toISOString()
      .replace(/(\.\d{3})Z$/, `$1${String((index * 37) % 1000).padStart(3, '0')}Z`),
    action: 'edit',
    tenant: '1',
    previous: {},
    updated: {},
    table: 'public.agents',
    operation: 'update',
    transaction: {
      xid: String(80_000 + index),
      commitLsn: `0/${(0x16b3748 + index * 328).toString(16).toUpperCase()}`,
      seq: 0,
    },
    context: null,
    ...sample,
    id: String(1_400_000_000_000 + index),
    modifier: { ...dana, ...sample.modifier },
    entity: { type: 'agent', name: 'Omer Katz', id: '12', ...sample.entity },
  };
}

/** Returns the API's JSON text of a value, with the exact text of numbers. */
export function mockJson(value: unknown): string {
  return JSON.stringify(value).replace(/\{"\$number":"([^"]+)"\}/g, '$1');
}
