/*
 * The database of Chatwoot (customer support), as of version 2025_08_16_044639 of its schema: every table and
 * column with its type, default, nullability and keys, as db/schema.rb of github.com/chatwoot/chatwoot names
 * them. The text is Waltrail's own.
 *
 * Differences: indexes that are not keys are left out. No extension is needed: `vector` is a domain over
 * real[]. The table campaign_messages is left out, because it probably belongs to a branch.
 *
 * Rails writes `string` as varchar, `datetime` as timestamp(6), and before version 7 as timestamp. Most
 * references between tables exist only in the models, not in the database.
 */

create domain vector as real[];

create table schema_migrations (version varchar primary key);

create table ar_internal_metadata (
  key varchar primary key,
  value varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

-- Accounts, the tenants, and their people -------------------------------------------------------------------

create table accounts (
  id serial primary key,
  name varchar not null,
  created_at timestamp not null, updated_at timestamp not null,
  locale integer default 0,
  domain varchar(100),
  support_email varchar(100),
  feature_flags bigint not null default 0,
  auto_resolve_duration integer,
  limits jsonb default '{}',
  custom_attributes jsonb default '{}',
  status integer default 0,
  internal_attributes jsonb not null default '{}',
  settings jsonb default '{}'
);

create table users (
  id serial primary key,
  provider varchar not null default 'email',
  uid varchar not null default '',
  encrypted_password varchar not null default '',
  reset_password_token varchar,
  reset_password_sent_at timestamp,
  remember_created_at timestamp,
  sign_in_count integer not null default 0,
  current_sign_in_at timestamp, last_sign_in_at timestamp,
  current_sign_in_ip varchar, last_sign_in_ip varchar,
  confirmation_token varchar,
  confirmed_at timestamp,
  confirmation_sent_at timestamp,
  unconfirmed_email varchar,
  name varchar not null,
  display_name varchar,
  email varchar,
  tokens json,
  created_at timestamp not null, updated_at timestamp not null,
  pubsub_token varchar,
  availability integer default 0,
  ui_settings jsonb default '{}',
  custom_attributes jsonb default '{}',
  type varchar,
  message_signature text
);
create unique index on users (pubsub_token);
create unique index on users (reset_password_token);
create unique index on users (uid, provider);

create table account_users (
  id bigserial primary key,
  account_id bigint,
  user_id bigint,
  role integer default 0,
  inviter_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  active_at timestamp,
  availability integer not null default 0,
  auto_offline boolean not null default true,
  custom_role_id bigint,
  agent_capacity_policy_id bigint
);
create unique index on account_users (account_id, user_id);

create table custom_roles (
  id bigserial primary key,
  name varchar,
  description varchar,
  account_id bigint not null,
  permissions text[] default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table access_tokens (
  id bigserial primary key,
  owner_type varchar,
  owner_id bigint,
  token varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on access_tokens (token);

create table teams (
  id bigserial primary key,
  name varchar not null,
  description text,
  allow_auto_assign boolean default true,
  account_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on teams (name, account_id);

create table team_members (
  id bigserial primary key,
  team_id bigint not null,
  user_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on team_members (team_id, user_id);

create table leaves (
  id bigserial primary key,
  account_id bigint not null,
  user_id bigint not null,
  start_date date not null,
  end_date date not null,
  leave_type integer not null default 0,
  status integer not null default 0,
  reason text,
  approved_by_id bigint,
  approved_at timestamp(6),
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table agent_capacity_policies (
  id bigserial primary key,
  account_id bigint not null,
  name varchar(255) not null,
  description text,
  exclusion_rules jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table assignment_policies (
  id bigserial primary key,
  account_id bigint not null,
  name varchar(255) not null,
  description text,
  assignment_order integer not null default 0,
  conversation_priority integer not null default 0,
  fair_distribution_limit integer not null default 100,
  fair_distribution_window integer not null default 3600,
  enabled boolean not null default true,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on assignment_policies (account_id, name);

create table platform_apps (
  id bigserial primary key,
  name varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table platform_app_permissibles (
  id bigserial primary key,
  platform_app_id bigint not null,
  permissible_type varchar not null,
  permissible_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on platform_app_permissibles (platform_app_id, permissible_id, permissible_type);

create table installation_configs (
  id bigserial primary key,
  name varchar not null,
  serialized_value jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  locked boolean not null default true
);
create unique index on installation_configs (name, created_at);
create unique index on installation_configs (name);

-- The audit log, written by the library `audited` -----------------------------------------------------------

create table audits (
  id bigserial primary key,
  auditable_id bigint,
  auditable_type varchar,
  associated_id bigint,
  associated_type varchar,
  user_id bigint,
  user_type varchar,
  username varchar,
  action varchar,
  audited_changes jsonb,
  version integer default 0,
  comment varchar,
  remote_address varchar,
  request_uuid varchar,
  created_at timestamp
);

-- Inboxes and their channels --------------------------------------------------------------------------------

create table portals (
  id bigserial primary key,
  account_id integer not null,
  name varchar not null,
  slug varchar not null,
  custom_domain varchar,
  color varchar,
  homepage_link varchar,
  page_title varchar,
  header_text text,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  config jsonb default '{"allowed_locales": ["en"]}',
  archived boolean default false,
  channel_web_widget_id bigint,
  ssl_settings jsonb not null default '{}'
);
create unique index on portals (custom_domain);
create unique index on portals (slug);

create table inboxes (
  id serial primary key,
  channel_id integer not null,
  account_id integer not null,
  name varchar not null,
  created_at timestamp not null, updated_at timestamp not null,
  channel_type varchar,
  enable_auto_assignment boolean default true,
  greeting_enabled boolean default false,
  greeting_message varchar,
  email_address varchar,
  working_hours_enabled boolean default false,
  out_of_office_message varchar,
  timezone varchar default 'UTC',
  enable_email_collect boolean default true,
  csat_survey_enabled boolean default false,
  allow_messages_after_resolved boolean default true,
  auto_assignment_config jsonb default '{}',
  lock_to_single_conversation boolean not null default false,
  portal_id bigint references portals,
  sender_name_type integer not null default 0,
  business_name varchar,
  csat_config jsonb not null default '{}'
);

create table inbox_members (
  id serial primary key,
  user_id integer not null,
  inbox_id integer not null,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on inbox_members (inbox_id, user_id);

create table inbox_assignment_policies (
  id bigserial primary key,
  inbox_id bigint not null,
  assignment_policy_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on inbox_assignment_policies (inbox_id);

create table inbox_capacity_limits (
  id bigserial primary key,
  agent_capacity_policy_id bigint not null,
  inbox_id bigint not null,
  conversation_limit integer not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on inbox_capacity_limits (agent_capacity_policy_id, inbox_id);

create table working_hours (
  id bigserial primary key,
  inbox_id bigint,
  account_id bigint,
  day_of_week integer not null,
  closed_all_day boolean default false,
  open_hour integer, open_minutes integer,
  close_hour integer, close_minutes integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  open_all_day boolean default false
);

create table channel_api (
  id bigserial primary key,
  account_id integer not null,
  webhook_url varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  identifier varchar,
  hmac_token varchar,
  hmac_mandatory boolean default false,
  additional_attributes jsonb default '{}'
);
create unique index on channel_api (hmac_token);
create unique index on channel_api (identifier);

create table channel_email (
  id bigserial primary key,
  account_id integer not null,
  email varchar not null,
  forward_to_email varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  imap_enabled boolean default false,
  imap_address varchar default '',
  imap_port integer default 0,
  imap_login varchar default '',
  imap_password varchar default '',
  imap_enable_ssl boolean default true,
  smtp_enabled boolean default false,
  smtp_address varchar default '',
  smtp_port integer default 0,
  smtp_login varchar default '',
  smtp_password varchar default '',
  smtp_domain varchar default '',
  smtp_enable_starttls_auto boolean default true,
  smtp_authentication varchar default 'login',
  smtp_openssl_verify_mode varchar default 'none',
  smtp_enable_ssl_tls boolean default false,
  provider_config jsonb default '{}',
  provider varchar
);
create unique index on channel_email (email);
create unique index on channel_email (forward_to_email);

create table channel_facebook_pages (
  id serial primary key,
  page_id varchar not null,
  user_access_token varchar not null,
  page_access_token varchar not null,
  account_id integer not null,
  created_at timestamp not null, updated_at timestamp not null,
  instagram_id varchar
);
create unique index on channel_facebook_pages (page_id, account_id);

create table channel_instagram (
  id bigserial primary key,
  access_token varchar not null,
  expires_at timestamp(6) not null,
  account_id integer not null,
  instagram_id varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on channel_instagram (instagram_id);

create table channel_line (
  id bigserial primary key,
  account_id integer not null,
  line_channel_id varchar not null,
  line_channel_secret varchar not null,
  line_channel_token varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on channel_line (line_channel_id);

create table channel_sms (
  id bigserial primary key,
  account_id integer not null,
  phone_number varchar not null,
  provider varchar default 'default',
  provider_config jsonb default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on channel_sms (phone_number);

create table channel_telegram (
  id bigserial primary key,
  bot_name varchar,
  account_id integer not null,
  bot_token varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on channel_telegram (bot_token);

create table channel_twilio_sms (
  id bigserial primary key,
  phone_number varchar,
  auth_token varchar not null,
  account_sid varchar not null,
  account_id integer not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  medium integer default 0,
  messaging_service_sid varchar,
  api_key_sid varchar
);
create unique index on channel_twilio_sms (account_sid, phone_number);
create unique index on channel_twilio_sms (messaging_service_sid);
create unique index on channel_twilio_sms (phone_number);

create table channel_twitter_profiles (
  id bigserial primary key,
  profile_id varchar not null,
  twitter_access_token varchar not null,
  twitter_access_token_secret varchar not null,
  account_id integer not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  tweets_enabled boolean default true
);
create unique index on channel_twitter_profiles (account_id, profile_id);

create table channel_voice (
  id bigserial primary key,
  phone_number varchar not null,
  provider varchar not null default 'twilio',
  provider_config jsonb not null,
  account_id integer not null,
  additional_attributes jsonb default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on channel_voice (phone_number);

create table channel_web_widgets (
  id serial primary key,
  website_url varchar,
  account_id integer,
  created_at timestamp not null, updated_at timestamp not null,
  website_token varchar,
  widget_color varchar default '#1f93ff',
  welcome_title varchar,
  welcome_tagline varchar,
  feature_flags integer not null default 7,
  reply_time integer default 0,
  hmac_token varchar,
  pre_chat_form_enabled boolean default false,
  pre_chat_form_options jsonb default '{}',
  hmac_mandatory boolean default false,
  continuity_via_email boolean not null default true
);
create unique index on channel_web_widgets (hmac_token);
create unique index on channel_web_widgets (website_token);

create table channel_whatsapp (
  id bigserial primary key,
  account_id integer not null,
  phone_number varchar not null,
  provider varchar default 'default',
  provider_config jsonb default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  message_templates jsonb default '{}',
  message_templates_last_updated timestamp
);
create unique index on channel_whatsapp (phone_number);

create table telegram_bots (
  id serial primary key,
  name varchar,
  auth_key varchar,
  account_id integer,
  created_at timestamp not null, updated_at timestamp not null
);

create table agent_bots (
  id bigserial primary key,
  name varchar,
  description varchar,
  outgoing_url varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  account_id bigint,
  bot_type integer default 0,
  bot_config jsonb default '{}'
);

create table agent_bot_inboxes (
  id bigserial primary key,
  inbox_id integer,
  agent_bot_id integer,
  status integer default 0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  account_id integer
);

create table integrations_hooks (
  id bigserial primary key,
  status integer default 1,
  inbox_id integer,
  account_id integer,
  app_id varchar,
  hook_type integer default 0,
  reference_id varchar,
  access_token varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  settings jsonb default '{}'
);

create table webhooks (
  id bigserial primary key,
  account_id integer,
  inbox_id integer,
  url varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  webhook_type integer default 0,
  subscriptions jsonb default '["conversation_status_changed", "conversation_updated", "conversation_created",
    "contact_created", "contact_updated", "message_created", "message_updated", "webwidget_triggered"]'
);
create unique index on webhooks (account_id, url);

create table dashboard_apps (
  id bigserial primary key,
  title varchar not null,
  content jsonb default '[]',
  account_id bigint not null,
  user_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

-- Contacts and conversations --------------------------------------------------------------------------------

create table contacts (
  id serial primary key,
  name varchar default '',
  email varchar,
  phone_number varchar,
  account_id integer not null,
  created_at timestamp not null, updated_at timestamp not null,
  additional_attributes jsonb default '{}',
  identifier varchar,
  custom_attributes jsonb default '{}',
  last_activity_at timestamp,
  contact_type integer default 0,
  middle_name varchar default '',
  last_name varchar default '',
  location varchar default '',
  country_code varchar default '',
  blocked boolean not null default false
);
create unique index on contacts (email, account_id);
create unique index on contacts (identifier, account_id);

create table contact_inboxes (
  id bigserial primary key,
  contact_id bigint,
  inbox_id bigint,
  source_id varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  hmac_verified boolean default false,
  pubsub_token varchar
);
create unique index on contact_inboxes (inbox_id, source_id);
create unique index on contact_inboxes (pubsub_token);

create table notes (
  id bigserial primary key,
  content text not null,
  account_id bigint not null,
  contact_id bigint not null,
  user_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table conversations (
  id serial primary key,
  account_id integer not null,
  inbox_id integer not null,
  status integer not null default 0,
  assignee_id integer,
  created_at timestamp not null, updated_at timestamp not null,
  contact_id bigint,
  display_id integer not null,
  contact_last_seen_at timestamp,
  agent_last_seen_at timestamp,
  additional_attributes jsonb default '{}',
  contact_inbox_id bigint,
  uuid uuid not null default gen_random_uuid(),
  identifier varchar,
  last_activity_at timestamp not null default current_timestamp,
  team_id bigint,
  campaign_id bigint,
  snoozed_until timestamp,
  custom_attributes jsonb default '{}',
  assignee_last_seen_at timestamp,
  first_reply_created_at timestamp,
  priority integer,
  sla_policy_id bigint,
  waiting_since timestamp(6),
  cached_label_list text
);
create unique index on conversations (account_id, display_id);
create unique index on conversations (uuid);

create table conversation_participants (
  id bigserial primary key,
  account_id bigint not null,
  user_id bigint not null,
  conversation_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on conversation_participants (user_id, conversation_id);

create table mentions (
  id bigserial primary key,
  user_id bigint not null,
  conversation_id bigint not null,
  account_id bigint not null,
  mentioned_at timestamp not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on mentions (user_id, conversation_id);

create table messages (
  id serial primary key,
  content text,
  account_id integer not null,
  inbox_id integer not null,
  conversation_id integer not null,
  message_type integer not null,
  created_at timestamp not null, updated_at timestamp not null,
  private boolean not null default false,
  status integer default 0,
  source_id varchar,
  content_type integer not null default 0,
  content_attributes json default '{}',
  sender_type varchar,
  sender_id bigint,
  external_source_ids jsonb default '{}',
  additional_attributes jsonb default '{}',
  processed_message_content text,
  sentiment jsonb default '{}'
);

create table attachments (
  id serial primary key,
  file_type integer default 0,
  external_url varchar,
  coordinates_lat double precision default 0.0,
  coordinates_long double precision default 0.0,
  message_id integer not null,
  account_id integer not null,
  created_at timestamp not null, updated_at timestamp not null,
  fallback_title varchar,
  extension varchar,
  meta jsonb default '{}'
);

create table csat_survey_responses (
  id bigserial primary key,
  account_id bigint not null,
  conversation_id bigint not null,
  message_id bigint not null,
  rating integer not null,
  feedback_message text,
  contact_id bigint not null,
  assigned_agent_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on csat_survey_responses (message_id);

create table campaigns (
  id bigserial primary key,
  display_id integer not null,
  title varchar not null,
  description text,
  message text not null,
  sender_id integer,
  enabled boolean default true,
  account_id bigint not null,
  inbox_id bigint not null,
  trigger_rules jsonb default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  campaign_type integer not null default 0,
  campaign_status integer not null default 0,
  audience jsonb default '[]',
  scheduled_at timestamp,
  trigger_only_during_business_hours boolean default false,
  template_params jsonb
);

create table labels (
  id bigserial primary key,
  title varchar,
  description text,
  color varchar not null default '#1f93ff',
  show_on_sidebar boolean,
  account_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on labels (title, account_id);

create table tags (
  id serial primary key,
  name varchar,
  taggings_count integer default 0
);
create unique index on tags (name);

create table taggings (
  id serial primary key,
  tag_id integer,
  taggable_type varchar,
  taggable_id integer,
  tagger_type varchar,
  tagger_id integer,
  context varchar(128),
  created_at timestamp
);
create unique index on taggings (tag_id, taggable_id, taggable_type, context, tagger_id, tagger_type);

create table canned_responses (
  id serial primary key,
  account_id integer not null,
  short_code varchar,
  content text,
  created_at timestamp not null, updated_at timestamp not null
);

create table macros (
  id bigserial primary key,
  account_id bigint not null,
  name varchar not null,
  visibility integer default 0,
  created_by_id bigint,
  updated_by_id bigint,
  actions jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table automation_rules (
  id bigserial primary key,
  account_id bigint not null,
  name varchar not null,
  description text,
  event_name varchar not null,
  conditions jsonb not null default '"{}"',
  actions jsonb not null default '"{}"',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  active boolean not null default true
);

create table custom_attribute_definitions (
  id bigserial primary key,
  attribute_display_name varchar,
  attribute_key varchar,
  attribute_display_type integer default 0,
  default_value integer,
  attribute_model integer default 0,
  account_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  attribute_description text,
  attribute_values jsonb default '[]',
  regex_pattern varchar,
  regex_cue varchar
);
create unique index on custom_attribute_definitions (attribute_key, attribute_model, account_id);

create table custom_filters (
  id bigserial primary key,
  name varchar not null,
  filter_type integer not null default 0,
  query jsonb not null default '"{}"',
  account_id bigint not null,
  user_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table data_imports (
  id bigserial primary key,
  account_id bigint not null,
  data_type varchar not null,
  status integer not null default 0,
  processing_errors text,
  total_records integer,
  processed_records integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table email_templates (
  id bigserial primary key,
  name varchar not null,
  body text not null,
  account_id integer,
  template_type integer default 1,
  locale integer not null default 0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on email_templates (name, account_id);

-- Notifications, service levels, reports --------------------------------------------------------------------

create table notifications (
  id bigserial primary key,
  account_id bigint not null,
  user_id bigint not null,
  notification_type integer not null,
  primary_actor_type varchar not null,
  primary_actor_id bigint not null,
  secondary_actor_type varchar,
  secondary_actor_id bigint,
  read_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  snoozed_until timestamp(6),
  last_activity_at timestamp(6) default current_timestamp,
  meta jsonb default '{}'
);

create table notification_settings (
  id bigserial primary key,
  account_id integer,
  user_id integer,
  email_flags integer not null default 0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  push_flags integer not null default 0
);
create unique index on notification_settings (account_id, user_id);

create table notification_subscriptions (
  id bigserial primary key,
  user_id bigint not null,
  subscription_type integer not null,
  subscription_attributes jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  identifier text
);
create unique index on notification_subscriptions (identifier);

create table sla_policies (
  id bigserial primary key,
  name varchar not null,
  first_response_time_threshold double precision,
  next_response_time_threshold double precision,
  only_during_business_hours boolean default false,
  account_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  description varchar,
  resolution_time_threshold double precision
);

create table applied_slas (
  id bigserial primary key,
  account_id bigint not null,
  sla_policy_id bigint not null,
  conversation_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  sla_status integer default 0
);
create unique index on applied_slas (account_id, sla_policy_id, conversation_id);

create table sla_events (
  id bigserial primary key,
  applied_sla_id bigint not null,
  conversation_id bigint not null,
  account_id bigint not null,
  sla_policy_id bigint not null,
  inbox_id bigint not null,
  event_type integer,
  meta jsonb default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table reporting_events (
  id bigserial primary key,
  name varchar,
  value double precision,
  account_id integer,
  inbox_id integer,
  user_id integer,
  conversation_id integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  value_in_business_hours double precision,
  event_start_time timestamp,
  event_end_time timestamp
);

-- The help center -------------------------------------------------------------------------------------------

create table portals_members (
  portal_id bigint not null,
  user_id bigint not null
);
create unique index on portals_members (portal_id, user_id);

create table categories (
  id bigserial primary key,
  account_id integer not null,
  portal_id integer not null,
  name varchar,
  description text,
  position integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  locale varchar default 'en',
  slug varchar not null,
  parent_category_id bigint,
  associated_category_id bigint,
  icon varchar default ''
);
create unique index on categories (slug, locale, portal_id);

create table related_categories (
  id bigserial primary key,
  category_id bigint,
  related_category_id bigint,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on related_categories (category_id, related_category_id);
create unique index on related_categories (related_category_id, category_id);

create table folders (
  id bigserial primary key,
  account_id integer not null,
  category_id integer not null,
  name varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table articles (
  id bigserial primary key,
  account_id integer not null,
  portal_id integer not null,
  category_id integer,
  folder_id integer,
  title varchar,
  description text,
  content text,
  status integer,
  views integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  author_id bigint,
  associated_article_id bigint,
  meta jsonb default '{}',
  slug varchar not null,
  position integer,
  locale varchar not null default 'en'
);
create unique index on articles (slug);

create table article_embeddings (
  id bigserial primary key,
  article_id bigint not null,
  term text not null,
  embedding vector,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

-- The assistant ---------------------------------------------------------------------------------------------

create table captain_assistants (
  id bigserial primary key,
  name varchar not null,
  account_id bigint not null,
  description varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  config jsonb not null default '{}',
  response_guidelines jsonb default '[]',
  guardrails jsonb default '[]'
);

create table captain_documents (
  id bigserial primary key,
  name varchar,
  external_link varchar not null,
  content text,
  assistant_id bigint not null,
  account_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  status integer not null default 0
);
create unique index on captain_documents (assistant_id, external_link);

create table captain_assistant_responses (
  id bigserial primary key,
  question varchar not null,
  answer text not null,
  embedding vector,
  assistant_id bigint not null,
  documentable_id bigint,
  account_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  status integer not null default 1,
  documentable_type varchar
);

create table captain_inboxes (
  id bigserial primary key,
  captain_assistant_id bigint not null,
  inbox_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on captain_inboxes (captain_assistant_id, inbox_id);

create table captain_scenarios (
  id bigserial primary key,
  title varchar,
  description text,
  instruction text,
  tools jsonb default '[]',
  enabled boolean not null default true,
  assistant_id bigint not null,
  account_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table copilot_threads (
  id bigserial primary key,
  title varchar not null,
  user_id bigint not null,
  account_id bigint not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  assistant_id integer
);

create table copilot_messages (
  id bigserial primary key,
  copilot_thread_id bigint not null,
  account_id bigint not null,
  message jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  message_type integer default 0
);

-- Files and incoming mail, by Rails -------------------------------------------------------------------------

create table active_storage_blobs (
  id bigserial primary key,
  key varchar not null,
  filename varchar not null,
  content_type varchar,
  metadata text,
  byte_size bigint not null,
  checksum varchar,
  created_at timestamp not null,
  service_name varchar not null
);
create unique index on active_storage_blobs (key);

create table active_storage_attachments (
  id bigserial primary key,
  name varchar not null,
  record_type varchar not null,
  record_id bigint not null,
  blob_id bigint not null references active_storage_blobs,
  created_at timestamp not null
);
create unique index on active_storage_attachments (record_type, record_id, name, blob_id);

create table active_storage_variant_records (
  id bigserial primary key,
  blob_id bigint not null references active_storage_blobs,
  variation_digest varchar not null
);
create unique index on active_storage_variant_records (blob_id, variation_digest);

create table action_mailbox_inbound_emails (
  id bigserial primary key,
  status integer not null default 0,
  message_id varchar not null,
  message_checksum varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on action_mailbox_inbound_emails (message_id, message_checksum);

-- Numbers that people see count within an account. Inserting an account creates their sequences -------------

create function make_display_sequences() returns trigger language plpgsql as $$
begin
  execute format('create sequence if not exists %I', 'conv_dpid_seq_' || new.id);
  execute format('create sequence if not exists %I', 'camp_dpid_seq_' || new.id);
  return null;
end $$;

create function number_for_display() returns trigger language plpgsql as $$
begin
  new.display_id := nextval(format('%I', tg_argv[0] || new.account_id)::regclass);
  return new;
end $$;

create trigger accounts_after_insert after insert on accounts
  for each row execute function make_display_sequences();
create trigger conversations_before_insert before insert on conversations
  for each row execute function number_for_display('conv_dpid_seq_');
create trigger campaigns_before_insert before insert on campaigns
  for each row execute function number_for_display('camp_dpid_seq_');
