-- The sample CRM: the database of a small customer-communication product, as its developers would have built it. It contains
-- nothing of Waltrail. `waltrail apply` sets publication and replica identity. Rows are the same on every machine and in every
-- run. They are generated from series, with setseed for random values.

-- ---------------------------------------------------------------- organisations, teams, agents

create table public.organizations (                -- the tenants
  id         int4 generated always as identity primary key,
  name       text not null unique,
  plan       text not null default 'team' check (plan in ('free', 'team', 'enterprise')),
  created_at timestamptz not null default now()
);

create table public.teams (
  id              int4 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  name            text not null,
  updated_by      int4,                            -- an agent; its reference is added below
  unique (organization_id, name)
);

create table public.agents (                       -- people and bots who work in the product
  id              int4 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  team_id         int4 references public.teams (id) on delete set null,
  full_name       text not null,
  email           text not null unique,
  role            text not null default 'agent' check (role in ('admin', 'supervisor', 'agent', 'bot')),
  status          int2 not null default 3 check (status between 1 and 3),   -- 1 online, 2 away, 3 offline
  blocked         boolean not null default false,
  password_hash   text not null,
  last_seen_at    timestamptz,
  updated_at      timestamptz not null default now(),
  updated_by      int4 references public.agents (id) on delete set null
);
alter table public.teams add foreign key (updated_by) references public.agents (id) on delete set null;

create table public.login_events (
  id              int8 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  agent_id        int4 not null references public.agents (id) on delete cascade,
  kind            text not null check (kind in ('in', 'out')),
  ok              boolean not null default true,
  ip              inet not null,
  at              timestamptz not null default now()
);

-- ---------------------------------------------------------------- customers, conversations, messages

create table public.customers (
  id              int8 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  name            text not null,
  email           text,
  phone           text,
  birthday        date,
  vip             boolean not null default false,
  balance         numeric(12, 2) not null default 0,
  tags            text[] not null default '{}',
  attributes      jsonb not null default '{}',     -- data of the organisation: language, source, order counts
  api_token       text,                            -- for the customer's own integration
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  updated_by      int4 references public.agents (id) on delete set null
);

create type public.channel as enum ('email', 'chat', 'whatsapp', 'sms', 'phone');

create table public.conversations (
  id              int8 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  customer_id     int8 not null references public.customers (id) on delete cascade,
  agent_id        int4 references public.agents (id) on delete set null,    -- assigned to; null: not assigned yet
  subject         text not null,
  channel         public.channel not null,
  state           text not null default 'open' check (state in ('open', 'waiting', 'closed')),
  priority        int2 not null default 2 check (priority between 1 and 4), -- 1 urgent, 4 low
  opened_at       timestamptz not null default now(),
  closed_at       timestamptz,
  updated_at      timestamptz not null default now(),
  updated_by      int4 references public.agents (id) on delete set null,
  check ((state = 'closed') = (closed_at is not null))
);
create index on public.conversations (customer_id);

create table public.messages (
  id              int8 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  conversation_id int8 not null references public.conversations (id) on delete cascade,
  agent_id        int4 references public.agents (id) on delete set null,    -- null: written by the customer
  body            text not null,                   -- may be long, such as a pasted mail thread
  sent_at         timestamptz not null default now()
);
create index on public.messages (conversation_id);

-- ---------------------------------------------------------------- modules, settings, campaigns

create table public.modules (
  organization_id int4 not null references public.organizations (id) on delete cascade,
  name            text not null,
  enabled         boolean not null default true,
  updated_by      int4 references public.agents (id) on delete set null,
  primary key (organization_id, name)
);

create table public.settings (
  organization_id int4 not null references public.organizations (id) on delete cascade,
  key             text not null,
  value           jsonb not null,
  updated_at      timestamptz not null default now(),
  updated_by      int4 references public.agents (id) on delete set null,    -- null: unknown
  primary key (organization_id, key)
);

create table public.campaigns (
  id              int4 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  name            text not null,
  channel         public.channel not null,
  state           text not null default 'draft' check (state in ('draft', 'scheduled', 'running', 'paused', 'done')),
  budget          numeric(12, 2),
  starts_at       timestamptz,
  sent_count      int4 not null default 0,         -- a counter of the sender; of no interest to an auditor
  updated_at      timestamptz not null default now(),
  updated_by      int4 references public.agents (id) on delete set null
);

create table public.campaign_lists (
  id              int4 generated always as identity primary key,
  organization_id int4 not null references public.organizations (id) on delete cascade,
  campaign_id     int4 not null references public.campaigns (id) on delete cascade,
  name            text not null,
  updated_by      int4 references public.agents (id) on delete set null
);

create table public.list_members (
  list_id         int4 not null references public.campaign_lists (id) on delete cascade,
  customer_id     int8 not null references public.customers (id) on delete cascade,
  added_by        int4 references public.agents (id) on delete set null,
  added_at        timestamptz not null default now(),
  primary key (list_id, customer_id)
);

-- ---------------------------------------------------------------- rows

select setseed(0.42);

insert into public.organizations (name, plan) values ('Northwind Telecom', 'enterprise'), ('Harbor Insurance', 'team');

insert into public.teams (organization_id, name) values
  (1, 'Support'), (1, 'Sales'), (1, 'Retention'), (2, 'Claims'), (2, 'Service desk');

-- The hash is not a real one: no one signs in to the sample.
insert into public.agents (organization_id, team_id, full_name, email, role, status, password_hash, updated_by)
select organization_id, team_id, full_name, email, role, status, '$argon2id$v=19$sample$' || md5(email), null
  from (values
    (1, 1, 'Maya Rosen',     'maya.rosen@northwind.example',     'admin',      1),
    (1, 1, 'Omer Katz',      'omer.katz@northwind.example',      'agent',      1),
    (1, 1, 'Priya Nair',     'priya.nair@northwind.example',     'agent',      2),
    (1, 1, 'Lucas Meyer',    'lucas.meyer@northwind.example',    'agent',      1),
    (1, 2, 'Sofia Marino',   'sofia.marino@northwind.example',   'supervisor', 1),
    (1, 2, 'Tomasz Nowak',   'tomasz.nowak@northwind.example',   'agent',      3),
    (1, 3, 'Dana Levi',      'dana.levi@northwind.example',      'supervisor', 1),
    (1, 3, 'Grace Okafor',   'grace.okafor@northwind.example',   'agent',      1),
    (1, 1, 'Routing bot',    'routing-bot@northwind.example',    'bot',        1),
    (1, 3, 'Tagging bot',    'tagging-bot@northwind.example',    'bot',        1),
    (2, 4, 'Henrik Lund',    'henrik.lund@harbor.example',       'admin',      1),
    (2, 4, 'Amélie Fournier','amelie.fournier@harbor.example',   'agent',      1),
    (2, 4, 'Yusuf Demir',    'yusuf.demir@harbor.example',       'agent',      2),
    (2, 5, 'Chen Wei',       'chen.wei@harbor.example',          'supervisor', 1),
    (2, 5, 'Isabel Duarte',  'isabel.duarte@harbor.example',     'agent',      3),
    (2, 5, 'Reminder bot',   'reminder-bot@harbor.example',      'bot',        1)
  ) as seed (organization_id, team_id, full_name, email, role, status);

insert into public.customers (organization_id, name, email, phone, birthday, vip, balance, tags, attributes, api_token, created_at)
select 1 + n % 2,
       first || ' ' || last,
       lower(first || '.' || last || n) || '@mail.example',
       '+1 555 01' || to_char(n, 'FM000'),
       case when n % 4 > 0 then date '1958-03-01' + (random() * 17000)::int end,
       n % 11 = 0,
       round((random() * 900 - 200)::numeric, 2),
       case n % 5 when 0 then array['newsletter'] when 1 then array['prepaid', 'mobile'] else '{}' end,
       jsonb_build_object('language', (array['en', 'de', 'he', 'pt'])[1 + n % 4], 'orders', n % 17),
       case when n % 13 = 0 then 'ct_' || md5('token' || n) end,
       timestamptz '2026-01-05 08:00+00' + n * interval '19 hours'
  from generate_series(1, 120) as n,
       lateral (select (array['Anna', 'Noam', 'Ravi', 'Clara', 'José', 'Mina', 'Peter', 'Aisha', 'Viktor', 'Elena', 'Kofi'])[1 + n % 11],
                       (array['Berg', 'Silva', 'Cohen', 'Schmidt', 'Park', 'Haddad', 'Jansen', 'Rossi', 'Mensah', 'Novak', 'O''Brien', 'Sato', 'Weiss'])[1 + n % 13]
               ) as person (first, last);

insert into public.conversations (organization_id, customer_id, agent_id, subject, channel, state, priority, opened_at, closed_at)
select c.organization_id,
       c.id,
       case when n % 6 > 0 then case c.organization_id when 1 then 2 + n % 7 else 12 + n % 4 end end,
       (array['Cannot sign in to the app', 'Question about the last invoice', 'Change of address', 'Refund for a cancelled order',
              'Line drops every evening', 'Claim has no answer yet', 'Upgrade of the plan', 'Wrong name on the contract'])[1 + n % 8],
       (enum_range(null::public.channel))[1 + n % 5],
       case when n % 3 = 0 then 'closed' when n % 7 = 0 then 'waiting' else 'open' end,
       1 + n % 4,
       opened_at,
       case when n % 3 = 0 then opened_at + interval '5 hours' end
  from generate_series(1, 90) as n
  join public.customers as c on c.id = 1 + (n * 7) % 120,
       lateral (select timestamptz '2026-06-01 09:00+00' + n * interval '37 minutes') as seed (opened_at);

insert into public.messages (organization_id, conversation_id, agent_id, body, sent_at)
select v.organization_id,
       v.id,
       case when n = 2 then v.agent_id end,
       case when n = 2 then 'Thank you for writing to us. I am looking into it and will answer today.'
            when v.id % 15 = 0 then E'This is what the app wrote:\n' || trace.lines   -- random enough to be stored out of line
            else 'Hello, ' || lower(v.subject) || '. Could somebody help me please?' end,
       v.opened_at + n * interval '11 minutes'
  from public.conversations as v, generate_series(1, 2) as n,
       lateral (select string_agg(md5(v.id || '.' || line), E'\n') from generate_series(1, 160) as line) as trace (lines)
 order by v.id, n;

insert into public.modules (organization_id, name, enabled)
select organization.id, module.name, module.name <> 'voice'
  from public.organizations as organization, unnest(array['inbox', 'campaigns', 'chatbot', 'reports', 'voice']) as module (name);

insert into public.settings (organization_id, key, value)
select organization.id, setting.key, setting.value
  from public.organizations as organization,
       (values ('business_hours',     '{"from": "08:00", "to": "18:00", "days": ["mon", "tue", "wed", "thu", "fri"]}'::jsonb),
               ('session_minutes',    '30'),
               ('password_min_length', '12'),
               ('auto_close_days',    '14'),
               ('welcome_text',       '"Hello! How can we help?"'),
               ('two_factor_required', 'false')) as setting (key, value);

insert into public.campaigns (organization_id, name, channel, state, budget, starts_at, updated_by)
values (1, 'Summer data bundle', 'sms',      'running',   12000.00, '2026-07-01 07:00+00', 5),
       (1, 'Win back 2026',      'email',    'scheduled',  4500.50, '2026-12-01 08:00+00', 7),
       (1, 'Fiber early birds',  'whatsapp', 'draft',         null, null,                  5),
       (2, 'Renewal reminder',   'email',    'running',    2500.00, '2026-05-15 06:30+00', 14),
       (2, 'Travel cover',       'sms',      'paused',      800.00, '2026-04-01 06:30+00', 14);

insert into public.campaign_lists (organization_id, campaign_id, name)
select organization_id, id, list
  from public.campaigns, unnest(array['Customers', 'Leads']) as list;

insert into public.list_members (list_id, customer_id, added_at)
select l.id, c.id, timestamptz '2026-04-01 06:00+00'
  from public.campaign_lists as l
  join public.customers as c on c.organization_id = l.organization_id and c.id % 10 = l.id % 10;

insert into public.login_events (organization_id, agent_id, kind, ok, ip, at)
select organization_id, id, 'in', true, ('10.20.' || organization_id || '.' || id)::inet, timestamptz '2026-06-01 07:45+00' + id * interval '3 minutes'
  from public.agents
 where role <> 'bot';
