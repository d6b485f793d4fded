-- A small support desk like one of a Rails application: no foreign keys, integer enums, polymorphic senders,
-- settings in jsonb, a table of audit rows. Invented, to test `waltrail init`.

create table accounts (
  id bigserial primary key,
  name varchar not null,
  domain varchar,
  status integer not null default 0,
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table users (
  id bigserial primary key,
  name varchar not null,
  email varchar,
  encrypted_password varchar not null default '',
  reset_password_token varchar,
  otp_code integer,
  calendar_token uuid,
  tokens json,
  sign_in_count integer not null default 0,
  current_sign_in_at timestamp,
  last_sign_in_at timestamp,
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table contacts (
  id bigserial primary key,
  account_id bigint not null,
  name varchar default '',
  email varchar,
  last_activity_at timestamp,
  conversations_count integer not null default 0,
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table teams (
  id bigserial primary key,
  account_id bigint not null,
  name varchar not null,
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

-- A relation without a primary key.
create table team_members (
  team_id bigint not null,
  user_id bigint not null
);
create unique index on team_members (team_id, user_id);

create table conversations (
  id bigserial primary key,
  account_id bigint not null,
  display_id integer not null,
  contact_id bigint,
  assignee_id bigint,
  team_id bigint,
  status integer not null default 0,
  priority text check (priority in ('low', 'high')),
  additional_attributes jsonb default '{}',
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table messages (
  id bigserial primary key,
  account_id bigint not null,
  conversation_id bigint not null,
  sender_type varchar,
  sender_id bigint,
  content text,
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table articles (
  id bigserial primary key,
  account_id bigint not null,
  title varchar not null,
  author_id bigint,
  updated_by_id bigint,
  views_count integer not null default 0,
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table hooks (
  id bigserial primary key,
  account_id bigint not null,
  url varchar not null,
  access_token varchar,
  settings jsonb not null default '{}',
  created_at timestamp not null default now(), updated_at timestamp not null default now()
);

create table installation_configs (
  id bigserial primary key,
  name varchar not null,
  serialized_value jsonb not null default '{}'
);

-- The key is the secret itself.
create table magic_links (
  token varchar primary key,
  user_id bigint not null,
  expires_at timestamp
);

create table audits (
  id bigserial primary key,
  auditable_type varchar, auditable_id bigint,
  user_type varchar, user_id bigint,
  username varchar,
  action varchar,
  audited_changes jsonb,
  created_at timestamp not null default now()
);

create table schema_migrations (version varchar primary key);
create table good_jobs (id bigserial primary key, serialized_params jsonb);
create table sessions (id bigserial primary key, session_id varchar not null, data text);
