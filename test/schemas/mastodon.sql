/*
 * The database of Mastodon (a social network's server), as of version 2025_12_17_091936 of its schema: every
 * table and column with its type, default, nullability and keys, as db/schema.rb of
 * github.com/mastodon/mastodon names them. The text is Waltrail's own.
 *
 * Differences: indexes that are not keys are left out. The only materialized view is `account_summaries`,
 * with fewer conditions.
 *
 * Rails writes `string` as varchar, `datetime` as timestamp(6), and before version 7 as timestamp. Almost
 * all references are foreign keys in the database. Accounts are everybody known to this server; users are
 * those who sign in here.
 */

-- Ids of the largest tables increase with time: milliseconds since 1970, then 16 bits of a sequence.
create function timestamp_id(table_name text) returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000)::bigint << 16
    | (nextval((table_name || '_id_seq')::regclass) & 65535)
$$;

create sequence accounts_id_seq;
create sequence media_attachments_id_seq;
create sequence notification_requests_id_seq;
create sequence quotes_id_seq;
create sequence statuses_id_seq;

create table schema_migrations (version varchar primary key);

create table ar_internal_metadata (
  key varchar primary key,
  value varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table pghero_space_stats (
  id bigserial primary key,
  database text,
  schema text,
  relation text,
  size bigint,
  captured_at timestamp
);

-- Accounts and users ----------------------------------------------------------------------------------------

create table accounts (
  id bigint primary key default timestamp_id('accounts'),
  username varchar not null default '',
  domain varchar,
  private_key text,
  public_key text not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  note text not null default '',
  display_name varchar not null default '',
  uri varchar not null default '',
  url varchar,
  avatar_file_name varchar,
  avatar_content_type varchar,
  avatar_file_size integer,
  avatar_updated_at timestamp,
  header_file_name varchar,
  header_content_type varchar,
  header_file_size integer,
  header_updated_at timestamp,
  avatar_remote_url varchar,
  locked boolean not null default false,
  header_remote_url varchar not null default '',
  last_webfingered_at timestamp,
  inbox_url varchar not null default '',
  outbox_url varchar not null default '',
  shared_inbox_url varchar not null default '',
  followers_url varchar not null default '',
  protocol integer not null default 0,
  memorial boolean not null default false,
  moved_to_account_id bigint references accounts on delete set null,
  featured_collection_url varchar,
  fields jsonb,
  actor_type varchar,
  discoverable boolean,
  also_known_as varchar[],
  silenced_at timestamp,
  suspended_at timestamp,
  hide_collections boolean,
  avatar_storage_schema_version integer,
  header_storage_schema_version integer,
  sensitized_at timestamp,
  suspension_origin integer,
  trendable boolean,
  reviewed_at timestamp,
  requested_review_at timestamp,
  indexable boolean not null default false,
  attribution_domains varchar[] default '{}',
  following_url varchar not null default '',
  id_scheme integer default 1,
  feature_approval_policy integer not null default 0
);
create unique index on accounts (lower(username::text), coalesce(lower(domain::text), ''));

create table user_roles (
  id bigserial primary key,
  name varchar not null default '',
  color varchar not null default '',
  position integer not null default 0,
  permissions bigint not null default 0,
  highlighted boolean not null default false,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

-- Users and invites refer to each other, and so do users and applications. Their foreign keys are added
-- after them.
create table users (
  id bigserial primary key,
  email varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  encrypted_password varchar not null default '',
  reset_password_token varchar,
  reset_password_sent_at timestamp,
  sign_in_count integer not null default 0,
  current_sign_in_at timestamp, last_sign_in_at timestamp,
  confirmation_token varchar,
  confirmed_at timestamp,
  confirmation_sent_at timestamp,
  unconfirmed_email varchar,
  locale varchar,
  consumed_timestep integer,
  otp_required_for_login boolean not null default false,
  last_emailed_at timestamp,
  otp_backup_codes varchar[],
  account_id bigint not null references accounts on delete cascade,
  disabled boolean not null default false,
  invite_id bigint,
  chosen_languages varchar[],
  created_by_application_id bigint,
  approved boolean not null default true,
  sign_in_token varchar,
  sign_in_token_sent_at timestamp,
  webauthn_id varchar,
  sign_up_ip inet,
  skip_sign_in_token boolean,
  role_id bigint references user_roles on delete set null,
  settings text,
  time_zone varchar,
  otp_secret varchar,
  age_verified_at timestamp(6),
  require_tos_interstitial boolean not null default false
);
create unique index on users (confirmation_token);
create unique index on users (email);
create unique index on users (reset_password_token) where reset_password_token is not null;

create table invites (
  id bigserial primary key,
  user_id bigint not null references users on delete cascade,
  code varchar not null default '',
  expires_at timestamp,
  max_uses integer,
  uses integer not null default 0,
  created_at timestamp not null, updated_at timestamp not null,
  autofollow boolean not null default false,
  comment text
);
create unique index on invites (code);

create table oauth_applications (
  id bigserial primary key,
  name varchar not null,
  uid varchar not null,
  secret varchar not null,
  redirect_uri text not null,
  scopes varchar not null default '',
  created_at timestamp, updated_at timestamp,
  superapp boolean not null default false,
  website varchar,
  owner_type varchar,
  owner_id bigint references users on delete cascade,
  confidential boolean not null default true
);
create unique index on oauth_applications (uid);

alter table users
  add foreign key (invite_id) references invites on delete set null,
  add foreign key (created_by_application_id) references oauth_applications on delete set null;

create table oauth_access_grants (
  id bigserial primary key,
  token varchar not null,
  expires_in integer not null,
  redirect_uri text not null,
  created_at timestamp not null,
  revoked_at timestamp,
  scopes varchar,
  application_id bigint not null references oauth_applications on delete cascade,
  resource_owner_id bigint not null references users on delete cascade,
  code_challenge varchar,
  code_challenge_method varchar
);
create unique index on oauth_access_grants (token);

create table oauth_access_tokens (
  id bigserial primary key,
  token varchar not null,
  refresh_token varchar,
  expires_in integer,
  revoked_at timestamp,
  created_at timestamp not null,
  scopes varchar,
  application_id bigint references oauth_applications on delete cascade,
  resource_owner_id bigint references users on delete cascade,
  last_used_at timestamp,
  last_used_ip inet
);
create unique index on oauth_access_tokens (refresh_token) where refresh_token is not null;
create unique index on oauth_access_tokens (token);

create table session_activations (
  id bigserial primary key,
  session_id varchar not null,
  created_at timestamp not null, updated_at timestamp not null,
  user_agent varchar not null default '',
  ip inet,
  access_token_id bigint references oauth_access_tokens on delete cascade,
  user_id bigint not null references users on delete cascade,
  web_push_subscription_id bigint
);
create unique index on session_activations (session_id);

create table login_activities (
  id bigserial primary key,
  user_id bigint not null references users on delete cascade,
  authentication_method varchar,
  provider varchar,
  success boolean,
  failure_reason varchar,
  ip inet,
  user_agent varchar,
  created_at timestamp
);

create table identities (
  id bigserial primary key,
  provider varchar not null default '',
  uid varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  user_id bigint references users on delete cascade
);
create unique index on identities (uid, provider);

create table webauthn_credentials (
  id bigserial primary key,
  external_id varchar not null,
  public_key varchar not null,
  nickname varchar not null,
  sign_count bigint not null default 0,
  user_id bigint references users on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on webauthn_credentials (external_id);
create unique index on webauthn_credentials (user_id, nickname);

create table web_push_subscriptions (
  id bigserial primary key,
  endpoint varchar not null,
  key_p256dh varchar not null,
  key_auth varchar not null,
  data json,
  created_at timestamp not null, updated_at timestamp not null,
  access_token_id bigint not null references oauth_access_tokens on delete cascade,
  user_id bigint not null references users on delete cascade,
  standard boolean not null default false
);

create table web_settings (
  id bigserial primary key,
  data json,
  created_at timestamp not null, updated_at timestamp not null,
  user_id bigint not null references users on delete cascade
);
create unique index on web_settings (user_id);

create table user_invite_requests (
  id bigserial primary key,
  user_id bigint not null references users on delete cascade,
  text text,
  created_at timestamp not null, updated_at timestamp not null
);

create table backups (
  id bigserial primary key,
  user_id bigint references users on delete set null,
  dump_file_name varchar,
  dump_content_type varchar,
  dump_updated_at timestamp,
  processed boolean not null default false,
  created_at timestamp not null, updated_at timestamp not null,
  dump_file_size bigint
);

create table markers (
  id bigserial primary key,
  user_id bigint not null references users on delete cascade,
  timeline varchar not null default '',
  last_read_id bigint not null default 0,
  lock_version integer not null default 0,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on markers (user_id, timeline);

-- Statuses and what belongs to them -------------------------------------------------------------------------

create table conversations (
  id bigserial primary key,
  uri varchar,
  created_at timestamp not null, updated_at timestamp not null,
  parent_status_id bigint,
  parent_account_id bigint
);
create unique index on conversations (parent_status_id) where parent_status_id is not null;
create unique index on conversations (uri) where uri is not null;

create table statuses (
  id bigint primary key default timestamp_id('statuses'),
  uri varchar,
  text text not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  in_reply_to_id bigint references statuses on delete set null,
  reblog_of_id bigint references statuses on delete cascade,
  url varchar,
  sensitive boolean not null default false,
  visibility integer not null default 0,
  spoiler_text text not null default '',
  reply boolean not null default false,
  language varchar,
  conversation_id bigint,
  local boolean,
  account_id bigint not null references accounts on delete cascade,
  application_id bigint,
  in_reply_to_account_id bigint references accounts on delete set null,
  poll_id bigint,
  deleted_at timestamp,
  edited_at timestamp,
  trendable boolean,
  ordered_media_attachment_ids bigint[],
  fetched_replies_at timestamp(6),
  quote_approval_policy integer not null default 0
);
create unique index on statuses (uri) where uri is not null;

create table status_edits (
  id bigserial primary key,
  status_id bigint not null references statuses on delete cascade,
  account_id bigint references accounts on delete set null,
  text text not null default '',
  spoiler_text text not null default '',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  ordered_media_attachment_ids bigint[],
  media_descriptions text[],
  poll_options varchar[],
  sensitive boolean,
  quote_id bigint
);

create table status_pins (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  status_id bigint not null references statuses on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on status_pins (account_id, status_id);

create table status_stats (
  id bigserial primary key,
  status_id bigint not null references statuses on delete cascade,
  replies_count bigint not null default 0,
  reblogs_count bigint not null default 0,
  favourites_count bigint not null default 0,
  created_at timestamp not null, updated_at timestamp not null,
  untrusted_favourites_count bigint,
  untrusted_reblogs_count bigint,
  quotes_count bigint not null default 0
);
create unique index on status_stats (status_id);

create table status_trends (
  id bigserial primary key,
  status_id bigint not null references statuses on delete cascade,
  account_id bigint not null references accounts on delete cascade,
  score double precision not null default 0.0,
  rank integer not null default 0,
  allowed boolean not null default false,
  language varchar
);
create unique index on status_trends (status_id);

create table quotes (
  id bigint primary key default timestamp_id('quotes'),
  account_id bigint not null references accounts on delete cascade,
  status_id bigint not null references statuses on delete cascade,
  quoted_status_id bigint references statuses on delete set null,
  quoted_account_id bigint references accounts on delete set null,
  state integer not null default 0,
  approval_uri varchar,
  activity_uri varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  legacy boolean not null default false
);
create unique index on quotes (activity_uri) where activity_uri is not null;
create unique index on quotes (status_id);

create table polls (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  status_id bigint not null references statuses on delete cascade,
  expires_at timestamp,
  options varchar[] not null default '{}',
  cached_tallies bigint[] not null default '{}',
  multiple boolean not null default false,
  hide_totals boolean not null default false,
  votes_count bigint not null default 0,
  last_fetched_at timestamp,
  created_at timestamp not null, updated_at timestamp not null,
  lock_version integer not null default 0,
  voters_count bigint
);

create table poll_votes (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  poll_id bigint not null references polls on delete cascade,
  choice integer not null default 0,
  created_at timestamp not null, updated_at timestamp not null,
  uri varchar
);

create table scheduled_statuses (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  scheduled_at timestamp,
  params jsonb
);

create table media_attachments (
  id bigint primary key default timestamp_id('media_attachments'),
  status_id bigint references statuses on delete set null,
  file_file_name varchar,
  file_content_type varchar,
  file_file_size integer,
  file_updated_at timestamp,
  remote_url varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  shortcode varchar,
  type integer not null default 0,
  file_meta json,
  account_id bigint references accounts on delete set null,
  description text,
  scheduled_status_id bigint references scheduled_statuses on delete set null,
  blurhash varchar,
  processing integer,
  file_storage_schema_version integer,
  thumbnail_file_name varchar,
  thumbnail_content_type varchar,
  thumbnail_file_size integer,
  thumbnail_updated_at timestamp,
  thumbnail_remote_url varchar,
  thumbnail_storage_schema_version integer
);
create unique index on media_attachments (shortcode) where shortcode is not null;

create table mentions (
  id bigserial primary key,
  status_id bigint not null references statuses on delete cascade,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  silent boolean not null default false
);
create unique index on mentions (account_id, status_id);

create table favourites (
  id bigserial primary key,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  status_id bigint not null references statuses on delete cascade
);
create unique index on favourites (account_id, status_id);

create table bookmarks (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  status_id bigint not null references statuses on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on bookmarks (account_id, status_id);

create table conversation_mutes (
  id bigserial primary key,
  conversation_id bigint not null references conversations on delete cascade,
  account_id bigint not null references accounts on delete cascade
);
create unique index on conversation_mutes (account_id, conversation_id);

create table account_conversations (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  conversation_id bigint not null references conversations on delete cascade,
  participant_account_ids bigint[] not null default '{}',
  status_ids bigint[] not null default '{}',
  last_status_id bigint,
  lock_version integer not null default 0,
  unread boolean not null default false
);
create unique index on account_conversations (account_id, conversation_id, participant_account_ids);

create table preview_cards (
  id bigserial primary key,
  url varchar not null default '',
  title varchar not null default '',
  description varchar not null default '',
  image_file_name varchar,
  image_content_type varchar,
  image_file_size integer,
  image_updated_at timestamp,
  type integer not null default 0,
  html text not null default '',
  author_name varchar not null default '',
  author_url varchar not null default '',
  provider_name varchar not null default '',
  provider_url varchar not null default '',
  width integer not null default 0,
  height integer not null default 0,
  created_at timestamp not null, updated_at timestamp not null,
  embed_url varchar not null default '',
  image_storage_schema_version integer,
  blurhash varchar,
  language varchar,
  max_score double precision,
  max_score_at timestamp,
  trendable boolean,
  link_type integer,
  published_at timestamp(6),
  image_description varchar not null default '',
  author_account_id bigint references accounts on delete set null,
  image_remote_url varchar
);
create unique index on preview_cards (url);

create table preview_cards_statuses (
  preview_card_id bigint not null,
  status_id bigint not null,
  url varchar,
  primary key (status_id, preview_card_id)
);

create table preview_card_trends (
  id bigserial primary key,
  preview_card_id bigint not null references preview_cards on delete cascade,
  score double precision not null default 0.0,
  rank integer not null default 0,
  allowed boolean not null default false,
  language varchar
);
create unique index on preview_card_trends (preview_card_id);

create table preview_card_providers (
  id bigserial primary key,
  domain varchar not null default '',
  icon_file_name varchar,
  icon_content_type varchar,
  icon_file_size bigint,
  icon_updated_at timestamp,
  trendable boolean,
  reviewed_at timestamp,
  requested_review_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on preview_card_providers (domain);

-- Tags, emojis, lists, collections --------------------------------------------------------------------------

create table tags (
  id bigserial primary key,
  name varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  usable boolean,
  trendable boolean,
  listable boolean,
  reviewed_at timestamp,
  requested_review_at timestamp,
  last_status_at timestamp,
  max_score double precision,
  max_score_at timestamp,
  display_name varchar
);
create unique index on tags (lower(name::text) text_pattern_ops);

create table accounts_tags (
  account_id bigint not null,
  tag_id bigint not null,
  primary key (tag_id, account_id)
);

create table statuses_tags (
  status_id bigint not null references statuses on delete cascade,
  tag_id bigint not null references tags on delete cascade,
  primary key (tag_id, status_id)
);

create table tag_follows (
  id bigserial primary key,
  tag_id bigint not null references tags on delete cascade,
  account_id bigint not null references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on tag_follows (account_id, tag_id);

create table tag_trends (
  id bigserial primary key,
  tag_id bigint not null references tags on delete cascade,
  score double precision not null default 0.0,
  rank integer not null default 0,
  allowed boolean not null default false,
  language varchar not null default ''
);
create unique index on tag_trends (tag_id, language);

create table featured_tags (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  tag_id bigint not null references tags on delete cascade,
  statuses_count bigint not null default 0,
  last_status_at timestamp,
  created_at timestamp not null, updated_at timestamp not null,
  name varchar
);
create unique index on featured_tags (account_id, tag_id);

-- Emojis and their categories refer to each other.
create table custom_emojis (
  id bigserial primary key,
  shortcode varchar not null default '',
  domain varchar,
  image_file_name varchar,
  image_content_type varchar,
  image_file_size integer,
  image_updated_at timestamp,
  created_at timestamp not null, updated_at timestamp not null,
  disabled boolean not null default false,
  uri varchar,
  image_remote_url varchar,
  visible_in_picker boolean not null default true,
  category_id bigint,
  image_storage_schema_version integer
);
create unique index on custom_emojis (shortcode, domain);

create table custom_emoji_categories (
  id bigserial primary key,
  name varchar,
  created_at timestamp not null, updated_at timestamp not null,
  featured_emoji_id bigint references custom_emojis on delete set null
);
create unique index on custom_emoji_categories (name);

create table lists (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  title varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  replies_policy integer not null default 0,
  exclusive boolean not null default false
);

create table collections (
  id bigserial primary key,
  account_id bigint not null references accounts,
  name varchar not null,
  description text not null,
  uri varchar,
  local boolean not null,
  sensitive boolean not null,
  discoverable boolean not null,
  tag_id bigint references tags,
  original_number_of_items integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  item_count integer not null default 0
);

create table collection_items (
  id bigserial primary key,
  collection_id bigint not null references collections on delete cascade,
  account_id bigint references accounts,
  position integer not null default 1,
  object_uri varchar,
  approval_uri varchar,
  activity_uri varchar,
  approval_last_verified_at timestamp(6),
  state integer not null default 0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on collection_items (approval_uri) where approval_uri is not null;
create unique index on collection_items (object_uri) where activity_uri is not null;

-- Between accounts ------------------------------------------------------------------------------------------

create table follows (
  id bigserial primary key,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  show_reblogs boolean not null default true,
  uri varchar,
  notify boolean not null default false,
  languages varchar[]
);
create unique index on follows (account_id, target_account_id);

create table follow_requests (
  id bigserial primary key,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  show_reblogs boolean not null default true,
  uri varchar,
  notify boolean not null default false,
  languages varchar[]
);
create unique index on follow_requests (account_id, target_account_id);

create table list_accounts (
  id bigserial primary key,
  list_id bigint not null references lists on delete cascade,
  account_id bigint not null references accounts on delete cascade,
  follow_id bigint references follows on delete cascade,
  follow_request_id bigint references follow_requests on delete cascade
);
create unique index on list_accounts (account_id, list_id);

create table blocks (
  id bigserial primary key,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  uri varchar
);
create unique index on blocks (account_id, target_account_id);

create table mutes (
  id bigserial primary key,
  created_at timestamp not null, updated_at timestamp not null,
  hide_notifications boolean not null default true,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  expires_at timestamp
);
create unique index on mutes (account_id, target_account_id);

create table follow_recommendation_mutes (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on follow_recommendation_mutes (account_id, target_account_id);

create table follow_recommendation_suppressions (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on follow_recommendation_suppressions (account_id);

create table account_aliases (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  acct varchar not null default '',
  uri varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on account_aliases (account_id, uri);

create table account_deletion_requests (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);

create table account_domain_blocks (
  id bigserial primary key,
  domain varchar not null,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade
);
create unique index on account_domain_blocks (account_id, domain);

create table account_migrations (
  id bigserial primary key,
  account_id bigint references accounts on delete cascade,
  acct varchar not null default '',
  followers_count bigint not null default 0,
  target_account_id bigint references accounts on delete set null,
  created_at timestamp not null, updated_at timestamp not null
);

create table account_notes (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  comment text not null,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on account_notes (account_id, target_account_id);

create table account_pins (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on account_pins (account_id, target_account_id);

create table account_stats (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  statuses_count bigint not null default 0,
  following_count bigint not null default 0,
  followers_count bigint not null default 0,
  created_at timestamp not null, updated_at timestamp not null,
  last_status_at timestamp
);
create unique index on account_stats (account_id);

create table account_statuses_cleanup_policies (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  enabled boolean not null default true,
  min_status_age integer not null default 1209600,
  keep_direct boolean not null default true,
  keep_pinned boolean not null default true,
  keep_polls boolean not null default false,
  keep_media boolean not null default false,
  keep_self_fav boolean not null default true,
  keep_self_bookmark boolean not null default true,
  min_favs integer,
  min_reblogs integer,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table relationship_severance_events (
  id bigserial primary key,
  type integer not null,
  target_name varchar not null,
  purged boolean not null default false,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table account_relationship_severance_events (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  relationship_severance_event_id bigint not null references relationship_severance_events on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  followers_count integer not null default 0,
  following_count integer not null default 0
);
create unique index on account_relationship_severance_events (account_id, relationship_severance_event_id);

create table severed_relationships (
  id bigserial primary key,
  relationship_severance_event_id bigint not null references relationship_severance_events on delete cascade,
  local_account_id bigint not null references accounts on delete cascade,
  remote_account_id bigint not null references accounts on delete cascade,
  direction integer not null,
  show_reblogs boolean,
  notify boolean,
  languages varchar[],
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on severed_relationships
  (relationship_severance_event_id, local_account_id, direction, remote_account_id);

-- Notifications and filters ---------------------------------------------------------------------------------

create table notifications (
  id bigserial primary key,
  activity_id bigint not null,
  activity_type varchar not null,
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  from_account_id bigint not null references accounts on delete cascade,
  type varchar,
  filtered boolean not null default false,
  group_key varchar
);

create table notification_permissions (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  from_account_id bigint not null references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table notification_policies (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  for_not_following integer not null default 0,
  for_not_followers integer not null default 0,
  for_new_accounts integer not null default 0,
  for_private_mentions integer not null default 1,
  for_limited_accounts integer not null default 1
);
create unique index on notification_policies (account_id);

create table notification_requests (
  id bigint primary key default timestamp_id('notification_requests'),
  account_id bigint not null references accounts on delete cascade,
  from_account_id bigint not null references accounts on delete cascade,
  last_status_id bigint references statuses on delete set null,
  notifications_count bigint not null default 0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on notification_requests (account_id, from_account_id);

create table custom_filters (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  expires_at timestamp,
  phrase text not null default '',
  context varchar[] not null default '{}',
  created_at timestamp not null, updated_at timestamp not null,
  action integer not null default 0
);

create table custom_filter_keywords (
  id bigserial primary key,
  custom_filter_id bigint not null references custom_filters on delete cascade,
  keyword text not null default '',
  whole_word boolean not null default true,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table custom_filter_statuses (
  id bigserial primary key,
  custom_filter_id bigint not null references custom_filters on delete cascade,
  status_id bigint not null references statuses on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on custom_filter_statuses (status_id, custom_filter_id);

-- Moderation ------------------------------------------------------------------------------------------------

create table admin_action_logs (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  action varchar not null default '',
  target_type varchar,
  target_id bigint,
  created_at timestamp not null, updated_at timestamp not null,
  human_identifier varchar,
  route_param varchar,
  permalink varchar
);

create table reports (
  id bigserial primary key,
  status_ids bigint[] not null default '{}',
  comment text not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  account_id bigint not null references accounts on delete cascade,
  action_taken_by_account_id bigint references accounts on delete set null,
  target_account_id bigint not null references accounts on delete cascade,
  assigned_account_id bigint references accounts on delete set null,
  uri varchar,
  forwarded boolean,
  category integer not null default 0,
  action_taken_at timestamp,
  rule_ids bigint[],
  application_id bigint references oauth_applications on delete set null
);

create table report_notes (
  id bigserial primary key,
  content text not null,
  report_id bigint not null references reports on delete cascade,
  account_id bigint not null references accounts on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);

create table account_warning_presets (
  id bigserial primary key,
  text text not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  title varchar not null default ''
);

create table account_warnings (
  id bigserial primary key,
  account_id bigint references accounts on delete set null,
  target_account_id bigint references accounts on delete cascade,
  action integer not null default 0,
  text text not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  report_id bigint references reports on delete cascade,
  status_ids varchar[],
  overruled_at timestamp
);

create table appeals (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  account_warning_id bigint not null references account_warnings on delete cascade,
  text text not null default '',
  approved_at timestamp,
  approved_by_account_id bigint references accounts on delete set null,
  rejected_at timestamp,
  rejected_by_account_id bigint references accounts on delete set null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on appeals (account_warning_id);

create table account_moderation_notes (
  id bigserial primary key,
  content text not null,
  account_id bigint not null references accounts on delete cascade,
  target_account_id bigint not null references accounts on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);

create table instance_moderation_notes (
  id bigserial primary key,
  domain varchar not null,
  account_id bigint not null references accounts on delete cascade,
  content text,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table canonical_email_blocks (
  id bigserial primary key,
  canonical_email_hash varchar not null default '',
  reference_account_id bigint references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on canonical_email_blocks (canonical_email_hash);

create table domain_allows (
  id bigserial primary key,
  domain varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on domain_allows (domain);

create table domain_blocks (
  id bigserial primary key,
  domain varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  severity integer default 0,
  reject_media boolean not null default false,
  reject_reports boolean not null default false,
  private_comment text,
  public_comment text,
  obfuscate boolean not null default false
);
create unique index on domain_blocks (domain);

create table email_domain_blocks (
  id bigserial primary key,
  domain varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  parent_id bigint references email_domain_blocks on delete cascade,
  allow_with_approval boolean not null default false
);
create unique index on email_domain_blocks (domain);

create table ip_blocks (
  id bigserial primary key,
  ip inet not null default '0.0.0.0',
  severity integer not null default 0,
  expires_at timestamp,
  comment text not null default '',
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on ip_blocks (ip);

create table username_blocks (
  id bigserial primary key,
  username varchar not null,
  normalized_username varchar not null,
  exact boolean not null default false,
  allow_with_approval boolean not null default false,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on username_blocks (lower(username::text));

create table tombstones (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  uri varchar not null,
  created_at timestamp not null, updated_at timestamp not null,
  by_moderator boolean
);

create table unavailable_domains (
  id bigserial primary key,
  domain varchar not null default '',
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on unavailable_domains (domain);

-- The server itself -----------------------------------------------------------------------------------------

create table settings (
  id bigserial primary key,
  var varchar not null,
  value text,
  created_at timestamp, updated_at timestamp
);
create unique index on settings (var);

create table site_uploads (
  id bigserial primary key,
  var varchar not null default '',
  file_file_name varchar,
  file_content_type varchar,
  file_file_size integer,
  file_updated_at timestamp,
  meta json,
  created_at timestamp not null, updated_at timestamp not null,
  blurhash varchar
);
create unique index on site_uploads (var);

create table rules (
  id bigserial primary key,
  priority integer not null default 0,
  deleted_at timestamp,
  text text not null default '',
  created_at timestamp not null, updated_at timestamp not null,
  hint text not null default ''
);

create table rule_translations (
  id bigserial primary key,
  text text not null default '',
  hint text not null default '',
  language varchar not null,
  rule_id bigint not null references rules on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on rule_translations (rule_id, language);

create table terms_of_services (
  id bigserial primary key,
  text text not null default '',
  changelog text not null default '',
  published_at timestamp(6),
  notification_sent_at timestamp(6),
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  effective_date date
);
create unique index on terms_of_services (effective_date) where effective_date is not null;

create table announcements (
  id bigserial primary key,
  text text not null default '',
  published boolean not null default false,
  all_day boolean not null default false,
  scheduled_at timestamp,
  starts_at timestamp,
  ends_at timestamp,
  created_at timestamp not null, updated_at timestamp not null,
  published_at timestamp,
  status_ids bigint[],
  notification_sent_at timestamp(6)
);

create table announcement_mutes (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  announcement_id bigint not null references announcements on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on announcement_mutes (account_id, announcement_id);

create table announcement_reactions (
  id bigserial primary key,
  account_id bigint not null references accounts on delete cascade,
  announcement_id bigint not null references announcements on delete cascade,
  name varchar not null default '',
  custom_emoji_id bigint references custom_emojis on delete cascade,
  created_at timestamp not null, updated_at timestamp not null
);
create unique index on announcement_reactions (account_id, announcement_id, name);

create table software_updates (
  id bigserial primary key,
  version varchar not null,
  urgent boolean not null default false,
  type integer not null default 0,
  release_notes varchar not null default '',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on software_updates (version);

create table webhooks (
  id bigserial primary key,
  url varchar not null,
  events varchar[] not null default '{}',
  secret varchar not null default '',
  enabled boolean not null default true,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  template text
);
create unique index on webhooks (url);

create table relays (
  id bigserial primary key,
  inbox_url varchar not null default '',
  follow_activity_id varchar,
  created_at timestamp not null, updated_at timestamp not null,
  state integer not null default 0
);

create table bulk_imports (
  id bigserial primary key,
  type integer not null,
  state integer not null,
  total_items integer not null default 0,
  imported_items integer not null default 0,
  processed_items integer not null default 0,
  finished_at timestamp,
  overwrite boolean not null default false,
  likely_mismatched boolean not null default false,
  original_filename varchar not null default '',
  account_id bigint not null references accounts on delete cascade,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table bulk_import_rows (
  id bigserial primary key,
  bulk_import_id bigint not null references bulk_imports on delete cascade,
  data jsonb,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table generated_annual_reports (
  id bigserial primary key,
  account_id bigint not null references accounts,
  year integer not null,
  data jsonb not null,
  schema_version integer not null,
  viewed_at timestamp(6),
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  share_key varchar
);
create unique index on generated_annual_reports (account_id, year);

create table annual_report_statuses_per_account_counts (
  id bigserial primary key,
  year integer not null,
  account_id bigint not null,
  statuses_count bigint not null
);
create unique index on annual_report_statuses_per_account_counts (year, account_id);

-- Providers of search and recommendations that other servers run --------------------------------------------

create table fasp_providers (
  id bigserial primary key,
  confirmed boolean not null default false,
  name varchar not null,
  base_url varchar not null,
  sign_in_url varchar,
  remote_identifier varchar not null,
  provider_public_key_pem varchar not null,
  server_private_key_pem varchar not null,
  capabilities jsonb not null default '[]',
  privacy_policy jsonb,
  contact_email varchar,
  fediverse_account varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  delivery_last_failed_at timestamp(6)
);
create unique index on fasp_providers (base_url);

create table fasp_subscriptions (
  id bigserial primary key,
  category varchar not null,
  subscription_type varchar not null,
  max_batch_size integer not null,
  threshold_timeframe integer,
  threshold_shares integer,
  threshold_likes integer,
  threshold_replies integer,
  fasp_provider_id bigint not null references fasp_providers,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table fasp_backfill_requests (
  id bigserial primary key,
  category varchar not null,
  max_count integer not null default 100,
  cursor varchar,
  fulfilled boolean not null default false,
  fasp_provider_id bigint not null references fasp_providers,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table fasp_debug_callbacks (
  id bigserial primary key,
  fasp_provider_id bigint not null references fasp_providers,
  ip varchar not null,
  request_body text not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table fasp_follow_recommendations (
  id bigserial primary key,
  requesting_account_id bigint not null references accounts,
  recommended_account_id bigint not null references accounts,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create materialized view account_summaries as
  select account_id, mode() within group (order by language) as language,
    mode() within group (order by sensitive) as sensitive
  from statuses
  where deleted_at is null and reblog_of_id is null
  group by account_id
  with no data;
create unique index on account_summaries (account_id);
