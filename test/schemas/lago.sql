/*
 * The database of Lago (metering and billing), as of version 2024_07_11_094255 of its schema: every table and
 * column with its type, default, nullability and keys, as db/schema.rb of github.com/getlago/lago-api names
 * them. The text is Waltrail's own. Views, and indexes that are not keys, are left out.
 *
 * Every table but the audit log has uuid keys. Most rows are removed by setting `deleted_at`.
 */

create type billable_metric_weighted_interval as enum ('seconds');
create type subscription_invoicing_reason as enum (
  'subscription_starting', 'subscription_periodic', 'subscription_terminating', 'in_advance_charge',
  'in_advance_charge_periodic'
);

create table schema_migrations (version varchar primary key);

create table ar_internal_metadata (
  key varchar primary key,
  value varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

-- Organizations, the tenants, and their people --------------------------------------------------------------

create table organizations (
  id uuid primary key default gen_random_uuid(),
  name varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  api_key varchar,
  webhook_url varchar,
  vat_rate double precision not null default 0.0,
  country varchar,
  address_line1 varchar, address_line2 varchar,
  state varchar,
  zipcode varchar,
  email varchar,
  city varchar,
  logo varchar,
  legal_name varchar,
  legal_number varchar,
  invoice_footer text,
  invoice_grace_period integer not null default 0 check (invoice_grace_period >= 0),
  timezone varchar not null default 'UTC',
  document_locale varchar not null default 'en',
  email_settings varchar[] not null default '{}',
  tax_identification_number varchar,
  net_payment_term integer not null default 0 check (net_payment_term >= 0),
  default_currency varchar not null default 'USD',
  document_numbering integer not null default 0,
  document_number_prefix varchar,
  eu_tax_management boolean default false,
  clickhouse_aggregation boolean not null default false,
  premium_integrations varchar[] not null default '{}',
  custom_aggregation boolean default false
);
create unique index on organizations (api_key);

create table users (
  id uuid primary key default gen_random_uuid(),
  email varchar,
  password_digest varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table memberships (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  user_id uuid not null references users,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  role integer not null default 0,
  status integer not null default 0,
  revoked_at timestamp(6)
);
create unique index on memberships (user_id, organization_id) where revoked_at is null;

create table invites (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  membership_id uuid references memberships,
  email varchar not null,
  token varchar not null,
  status integer not null default 0,
  accepted_at timestamp(6),
  revoked_at timestamp(6),
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  role integer not null default 0
);
create unique index on invites (token);

create table password_resets (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references users,
  token varchar not null,
  expire_at timestamp(6) not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on password_resets (token);

-- The audit log, written by the library PaperTrail. Its columns for keys are texts, so they can have keys of
-- any table.
create table versions (
  id bigserial primary key,
  item_type varchar not null,
  item_id varchar not null,
  event varchar not null,
  whodunnit varchar,
  object jsonb,
  object_changes jsonb,
  created_at timestamp(6),
  lago_version varchar
);

-- What can be sold ------------------------------------------------------------------------------------------

create table taxes (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  description varchar,
  code varchar not null,
  name varchar not null,
  rate double precision not null default 0.0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  applied_to_organization boolean not null default false,
  auto_generated boolean not null default false
);
create unique index on taxes (code, organization_id);

create table add_ons (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  name varchar not null,
  code varchar not null,
  description varchar,
  amount_cents bigint not null,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6),
  invoice_display_name varchar
);
create unique index on add_ons (organization_id, code) where deleted_at is null;

create table add_ons_taxes (
  id uuid primary key default gen_random_uuid(),
  add_on_id uuid not null references add_ons,
  tax_id uuid not null references taxes,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on add_ons_taxes (add_on_id, tax_id);

create table billable_metrics (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  name varchar not null,
  code varchar not null,
  description varchar,
  properties jsonb default '{}',
  aggregation_type integer not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  field_name varchar,
  deleted_at timestamp(6),
  recurring boolean not null default false,
  weighted_interval billable_metric_weighted_interval,
  custom_aggregator text
);
create unique index on billable_metrics (organization_id, code) where deleted_at is null;

create table billable_metric_filters (
  id uuid primary key default gen_random_uuid(),
  billable_metric_id uuid not null references billable_metrics,
  key varchar not null,
  values varchar[] not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6)
);

create table groups (
  id uuid primary key default gen_random_uuid(),
  billable_metric_id uuid not null references billable_metrics on delete cascade,
  parent_group_id uuid references groups,
  key varchar not null,
  value varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6)
);

create table plans (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  name varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  code varchar not null,
  "interval" integer not null,
  description varchar,
  amount_cents bigint not null,
  amount_currency varchar not null,
  trial_period double precision,
  pay_in_advance boolean not null default false,
  bill_charges_monthly boolean,
  parent_id uuid references plans,
  deleted_at timestamp(6),
  pending_deletion boolean not null default false,
  invoice_display_name varchar
);
create unique index on plans (organization_id, code) where deleted_at is null and parent_id is null;

create table plans_taxes (
  id uuid primary key default gen_random_uuid(),
  plan_id uuid not null references plans,
  tax_id uuid not null references taxes,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on plans_taxes (plan_id, tax_id);

create table charges (
  id uuid primary key default gen_random_uuid(),
  billable_metric_id uuid references billable_metrics,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  plan_id uuid references plans,
  amount_currency varchar,
  charge_model integer not null default 0,
  properties jsonb not null default '"{}"',
  deleted_at timestamp(6),
  pay_in_advance boolean not null default false,
  min_amount_cents bigint not null default 0,
  invoiceable boolean not null default true,
  prorated boolean not null default false,
  invoice_display_name varchar,
  regroup_paid_fees integer
);

create table charges_taxes (
  id uuid primary key default gen_random_uuid(),
  charge_id uuid not null references charges,
  tax_id uuid not null references taxes,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on charges_taxes (charge_id, tax_id);

create table charge_filters (
  id uuid primary key default gen_random_uuid(),
  charge_id uuid not null references charges,
  properties jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6),
  invoice_display_name varchar
);

create table charge_filter_values (
  id uuid primary key default gen_random_uuid(),
  charge_filter_id uuid not null references charge_filters,
  billable_metric_filter_id uuid not null references billable_metric_filters,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6),
  values varchar[] not null default '{}'
);

create table group_properties (
  id uuid primary key default gen_random_uuid(),
  charge_id uuid not null references charges on delete cascade,
  group_id uuid not null references groups on delete cascade,
  values jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6),
  invoice_display_name varchar
);
create unique index on group_properties (charge_id, group_id);

create table commitments (
  id uuid primary key default gen_random_uuid(),
  plan_id uuid not null references plans,
  commitment_type integer not null,
  amount_cents bigint not null,
  invoice_display_name varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on commitments (commitment_type, plan_id);

create table commitments_taxes (
  id uuid primary key default gen_random_uuid(),
  commitment_id uuid not null references commitments,
  tax_id uuid not null references taxes,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table coupons (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  name varchar not null,
  code varchar,
  status integer not null default 0,
  terminated_at timestamp(6),
  amount_cents bigint,
  amount_currency varchar,
  expiration integer not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  coupon_type integer not null default 0,
  percentage_rate numeric(10, 5),
  frequency integer not null default 0,
  frequency_duration integer,
  expiration_at timestamp(6),
  reusable boolean not null default true,
  limited_plans boolean not null default false,
  deleted_at timestamp(6),
  limited_billable_metrics boolean not null default false,
  description text
);
create unique index on coupons (organization_id, code) where deleted_at is null;

create table coupon_targets (
  id uuid primary key default gen_random_uuid(),
  coupon_id uuid not null references coupons,
  plan_id uuid references plans,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  deleted_at timestamp(6),
  billable_metric_id uuid references billable_metrics
);

-- Customers and what they have bought -----------------------------------------------------------------------

create table customers (
  id uuid primary key default gen_random_uuid(),
  external_id varchar not null,
  name varchar,
  organization_id uuid not null references organizations,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  country varchar,
  address_line1 varchar, address_line2 varchar,
  state varchar,
  zipcode varchar,
  email varchar,
  city varchar,
  url varchar,
  phone varchar,
  logo_url varchar,
  legal_name varchar,
  legal_number varchar,
  vat_rate double precision,
  payment_provider varchar,
  slug varchar,
  sequential_id bigint,
  currency varchar,
  invoice_grace_period integer check (invoice_grace_period >= 0),
  timezone varchar,
  deleted_at timestamp(6),
  document_locale varchar,
  tax_identification_number varchar,
  net_payment_term integer check (net_payment_term >= 0),
  external_salesforce_id varchar,
  payment_provider_code varchar,
  shipping_address_line1 varchar, shipping_address_line2 varchar,
  shipping_city varchar,
  shipping_zipcode varchar,
  shipping_state varchar,
  shipping_country varchar
);
create unique index on customers (external_id, organization_id) where deleted_at is null;

create table customer_metadata (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customers,
  key varchar not null,
  value varchar not null,
  display_in_invoice boolean not null default false,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on customer_metadata (customer_id, key);

create table customers_taxes (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customers,
  tax_id uuid not null references taxes,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on customers_taxes (customer_id, tax_id);

create table applied_add_ons (
  id uuid primary key default gen_random_uuid(),
  add_on_id uuid not null references add_ons,
  customer_id uuid not null references customers,
  amount_cents bigint not null,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table applied_coupons (
  id uuid primary key default gen_random_uuid(),
  coupon_id uuid not null,
  customer_id uuid not null,
  status integer not null default 0,
  amount_cents bigint,
  amount_currency varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  terminated_at timestamp,
  percentage_rate numeric(10, 5),
  frequency integer not null default 0,
  frequency_duration integer,
  frequency_duration_remaining integer
);

create table subscriptions (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customers,
  plan_id uuid not null references plans,
  status integer not null,
  canceled_at timestamp,
  terminated_at timestamp,
  started_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  previous_subscription_id uuid,
  name varchar,
  external_id varchar not null,
  billing_time integer not null default 0,
  subscription_at timestamp(6),
  ending_at timestamp(6),
  trial_ended_at timestamp(6)
);

create table events (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  customer_id uuid,
  transaction_id varchar not null,
  code varchar not null,
  properties jsonb not null default '{}',
  timestamp timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  metadata jsonb not null default '{}',
  subscription_id uuid,
  deleted_at timestamp(6),
  external_customer_id varchar,
  external_subscription_id varchar
);
create unique index on events (organization_id, external_subscription_id, transaction_id);

create table quantified_events (
  id uuid primary key default gen_random_uuid(),
  external_subscription_id varchar not null,
  external_id varchar,
  added_at timestamp(6) not null,
  removed_at timestamp(6),
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  billable_metric_id uuid,
  properties jsonb not null default '{}',
  deleted_at timestamp(6),
  group_id uuid references groups,
  organization_id uuid not null references organizations,
  grouped_by jsonb not null default '{}',
  charge_filter_id uuid
);

create table cached_aggregations (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  event_id uuid,
  timestamp timestamp(6) not null,
  external_subscription_id varchar not null,
  charge_id uuid not null,
  group_id uuid references groups,
  current_aggregation numeric,
  max_aggregation numeric,
  max_aggregation_with_proration numeric,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  grouped_by jsonb not null default '{}',
  charge_filter_id uuid,
  current_amount numeric,
  event_transaction_id varchar
);

create table wallets (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customers,
  status integer not null,
  name varchar,
  rate_amount numeric(30, 5) not null default 0.0,
  credits_balance numeric(30, 5) not null default 0.0,
  consumed_credits numeric(30, 5) not null default 0.0,
  expiration_at timestamp,
  last_balance_sync_at timestamp,
  last_consumed_credit_at timestamp,
  terminated_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  balance_cents bigint not null default 0,
  balance_currency varchar not null,
  consumed_amount_cents bigint not null default 0,
  consumed_amount_currency varchar not null,
  ongoing_balance_cents bigint not null default 0,
  ongoing_usage_balance_cents bigint not null default 0,
  credits_ongoing_balance numeric(30, 5) not null default 0.0,
  credits_ongoing_usage_balance numeric(30, 5) not null default 0.0,
  depleted_ongoing_balance boolean not null default false
);

create table recurring_transaction_rules (
  id uuid primary key default gen_random_uuid(),
  wallet_id uuid not null references wallets,
  trigger integer not null default 0,
  paid_credits numeric(30, 5) not null default 0.0,
  granted_credits numeric(30, 5) not null default 0.0,
  threshold_credits numeric(30, 5) default 0.0,
  "interval" integer default 0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  method integer not null default 0,
  target_ongoing_balance numeric(30, 5),
  started_at timestamp(6)
);

-- Invoices, credit notes, payments --------------------------------------------------------------------------

create table invoices (
  id uuid primary key default gen_random_uuid(),
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  issuing_date date,
  taxes_amount_cents bigint not null default 0,
  total_amount_cents bigint not null default 0,
  invoice_type integer not null default 0,
  payment_status integer not null default 0,
  number varchar not null default '',
  sequential_id integer,
  file varchar,
  customer_id uuid references customers,
  taxes_rate double precision not null default 0.0,
  status integer not null default 1,
  timezone varchar not null default 'UTC',
  payment_attempts integer not null default 0,
  ready_for_payment_processing boolean not null default true,
  organization_id uuid not null references organizations,
  version_number integer not null default 4,
  currency varchar,
  fees_amount_cents bigint not null default 0,
  coupons_amount_cents bigint not null default 0,
  credit_notes_amount_cents bigint not null default 0,
  prepaid_credit_amount_cents bigint not null default 0,
  sub_total_excluding_taxes_amount_cents bigint not null default 0,
  sub_total_including_taxes_amount_cents bigint not null default 0,
  payment_due_date date,
  net_payment_term integer not null default 0 check (net_payment_term >= 0),
  voided_at timestamp(6),
  organization_sequential_id integer not null default 0,
  ready_to_be_refreshed boolean not null default false,
  payment_dispute_lost_at timestamp(6),
  skip_charges boolean not null default false,
  payment_overdue boolean default false
);
create unique index on invoices (customer_id, sequential_id);

create table invoices_taxes (
  id uuid primary key default gen_random_uuid(),
  invoice_id uuid not null references invoices,
  tax_id uuid not null references taxes,
  tax_description varchar,
  tax_code varchar not null,
  tax_name varchar not null,
  tax_rate double precision not null default 0.0,
  amount_cents bigint not null default 0,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  fees_amount_cents bigint not null default 0
);
create unique index on invoices_taxes (invoice_id, tax_id) where created_at >= '2023-09-12';

create table invoice_metadata (
  id uuid primary key default gen_random_uuid(),
  invoice_id uuid not null references invoices,
  key varchar not null,
  value varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on invoice_metadata (invoice_id, key);

create table invoice_subscriptions (
  id uuid primary key default gen_random_uuid(),
  invoice_id uuid not null references invoices,
  subscription_id uuid not null references subscriptions,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  recurring boolean,
  timestamp timestamp(6),
  from_datetime timestamp(6), to_datetime timestamp(6),
  charges_from_datetime timestamp(6), charges_to_datetime timestamp(6),
  invoicing_reason subscription_invoicing_reason
);
create unique index on invoice_subscriptions (invoice_id, subscription_id) where created_at >= '2023-11-23';
create unique index on invoice_subscriptions (subscription_id, charges_from_datetime, charges_to_datetime)
  where created_at >= '2023-06-09' and recurring is true;
create unique index on invoice_subscriptions (subscription_id, invoicing_reason)
  where invoicing_reason = 'subscription_starting';
create unique index on invoice_subscriptions (subscription_id, invoicing_reason)
  where invoicing_reason = 'subscription_terminating';

create table fees (
  id uuid primary key default gen_random_uuid(),
  invoice_id uuid references invoices,
  charge_id uuid references charges,
  subscription_id uuid references subscriptions,
  amount_cents bigint not null,
  amount_currency varchar not null,
  taxes_amount_cents bigint not null,
  taxes_rate double precision not null default 0.0,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  units numeric not null default 0.0,
  applied_add_on_id uuid references applied_add_ons,
  properties jsonb not null default '{}',
  fee_type integer,
  invoiceable_type varchar,
  invoiceable_id uuid,
  events_count integer,
  group_id uuid references groups,
  pay_in_advance_event_id uuid,
  payment_status integer not null default 0,
  succeeded_at timestamp(6),
  failed_at timestamp(6),
  refunded_at timestamp(6),
  true_up_parent_fee_id uuid references fees,
  add_on_id uuid references add_ons,
  description varchar,
  unit_amount_cents bigint not null default 0,
  pay_in_advance boolean not null default false,
  precise_coupons_amount_cents numeric(30, 5) not null default 0.0,
  total_aggregated_units numeric,
  invoice_display_name varchar,
  precise_unit_amount numeric(30, 15) not null default 0.0,
  amount_details jsonb not null default '{}',
  charge_filter_id uuid,
  grouped_by jsonb not null default '{}',
  pay_in_advance_event_transaction_id varchar,
  deleted_at timestamp(6)
);

create table fees_taxes (
  id uuid primary key default gen_random_uuid(),
  fee_id uuid not null references fees,
  tax_id uuid not null references taxes,
  tax_description varchar,
  tax_code varchar not null,
  tax_name varchar not null,
  tax_rate double precision not null default 0.0,
  amount_cents bigint not null default 0,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on fees_taxes (fee_id, tax_id) where created_at >= '2023-09-12';

create table adjusted_fees (
  id uuid primary key default gen_random_uuid(),
  fee_id uuid references fees,
  invoice_id uuid not null references invoices,
  subscription_id uuid references subscriptions,
  charge_id uuid references charges,
  invoice_display_name varchar,
  fee_type integer,
  adjusted_units boolean not null default false,
  adjusted_amount boolean not null default false,
  units numeric not null default 0.0,
  unit_amount_cents bigint not null default 0,
  properties jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  group_id uuid references groups,
  grouped_by jsonb not null default '{}',
  charge_filter_id uuid
);

create table credit_notes (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customers,
  invoice_id uuid not null references invoices,
  sequential_id integer not null,
  number varchar not null,
  credit_amount_cents bigint not null default 0,
  credit_amount_currency varchar not null,
  credit_status integer,
  balance_amount_cents bigint not null default 0,
  balance_amount_currency varchar not null default '0',
  reason integer not null,
  file varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  total_amount_cents bigint not null default 0,
  total_amount_currency varchar not null,
  refund_amount_cents bigint not null default 0,
  refund_amount_currency varchar,
  refund_status integer,
  voided_at timestamp(6),
  description text,
  taxes_amount_cents bigint not null default 0,
  refunded_at timestamp(6),
  issuing_date date not null,
  status integer not null default 1,
  coupons_adjustment_amount_cents bigint not null default 0,
  precise_coupons_adjustment_amount_cents numeric(30, 5) not null default 0.0,
  precise_taxes_amount_cents numeric(30, 5) not null default 0.0,
  taxes_rate double precision not null default 0.0
);

create table credit_note_items (
  id uuid primary key default gen_random_uuid(),
  credit_note_id uuid not null references credit_notes,
  fee_id uuid references fees,
  amount_cents bigint not null default 0,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  precise_amount_cents numeric(30, 5) not null
);

create table credit_notes_taxes (
  id uuid primary key default gen_random_uuid(),
  credit_note_id uuid not null references credit_notes,
  tax_id uuid not null references taxes,
  tax_description varchar,
  tax_code varchar not null,
  tax_name varchar not null,
  tax_rate double precision not null default 0.0,
  amount_cents bigint not null default 0,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  base_amount_cents bigint not null default 0
);
create unique index on credit_notes_taxes (credit_note_id, tax_id);

create table credits (
  id uuid primary key default gen_random_uuid(),
  invoice_id uuid references invoices,
  applied_coupon_id uuid references applied_coupons,
  amount_cents bigint not null,
  amount_currency varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  credit_note_id uuid references credit_notes,
  before_taxes boolean not null default false
);

create table wallet_transactions (
  id uuid primary key default gen_random_uuid(),
  wallet_id uuid not null references wallets,
  transaction_type integer not null,
  status integer not null,
  amount numeric(30, 5) not null default 0.0,
  credit_amount numeric(30, 5) not null default 0.0,
  settled_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  invoice_id uuid references invoices,
  source integer not null default 0,
  transaction_status integer not null default 0
);

create table payment_providers (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  type varchar not null,
  secrets varchar,
  settings jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  code varchar not null,
  name varchar not null
);
create unique index on payment_providers (code, organization_id);

create table payment_provider_customers (
  id uuid primary key default gen_random_uuid(),
  customer_id uuid not null references customers,
  payment_provider_id uuid references payment_providers,
  type varchar not null,
  provider_customer_id varchar,
  settings jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on payment_provider_customers (customer_id, type);

create table payments (
  id uuid primary key default gen_random_uuid(),
  invoice_id uuid not null references invoices,
  payment_provider_id uuid references payment_providers,
  payment_provider_customer_id uuid,
  amount_cents bigint not null,
  amount_currency varchar not null,
  provider_payment_id varchar not null,
  status varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table refunds (
  id uuid primary key default gen_random_uuid(),
  payment_id uuid not null references payments,
  credit_note_id uuid not null references credit_notes,
  payment_provider_id uuid references payment_providers,
  payment_provider_customer_id uuid not null references payment_provider_customers,
  amount_cents bigint not null default 0,
  amount_currency varchar not null,
  status varchar not null,
  provider_refund_id varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

-- Integrations, webhooks, exports, files --------------------------------------------------------------------

create table integrations (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  name varchar not null,
  code varchar not null,
  type varchar not null,
  secrets varchar,
  settings jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on integrations (code, organization_id);

create table integration_collection_mappings (
  id uuid primary key default gen_random_uuid(),
  integration_id uuid not null references integrations,
  mapping_type integer not null,
  type varchar not null,
  settings jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on integration_collection_mappings (mapping_type, integration_id);

create table integration_customers (
  id uuid primary key default gen_random_uuid(),
  integration_id uuid not null references integrations,
  customer_id uuid not null references customers,
  external_customer_id varchar,
  type varchar not null,
  settings jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on integration_customers (customer_id, type);

create table integration_items (
  id uuid primary key default gen_random_uuid(),
  integration_id uuid not null references integrations,
  item_type integer not null,
  external_id varchar not null,
  external_account_code varchar,
  external_name varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);
create unique index on integration_items (external_id, integration_id, item_type);

create table integration_mappings (
  id uuid primary key default gen_random_uuid(),
  integration_id uuid not null references integrations,
  mappable_type varchar not null,
  mappable_id uuid not null,
  type varchar not null,
  settings jsonb not null default '{}',
  created_at timestamp(6) not null, updated_at timestamp(6) not null
);

create table integration_resources (
  id uuid primary key default gen_random_uuid(),
  syncable_type varchar not null,
  syncable_id uuid not null,
  external_id varchar,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  integration_id uuid references integrations,
  resource_type integer not null default 0
);

create table webhook_endpoints (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  webhook_url varchar not null,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  signature_algo integer not null default 0
);
create unique index on webhook_endpoints (webhook_url, organization_id);

create table webhooks (
  id uuid primary key default gen_random_uuid(),
  object_id uuid,
  object_type varchar,
  status integer not null default 0,
  retries integer not null default 0,
  http_status integer,
  endpoint varchar,
  webhook_type varchar,
  payload json,
  response json,
  last_retried_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  webhook_endpoint_id uuid references webhook_endpoints
);

create table data_exports (
  id uuid primary key default gen_random_uuid(),
  format integer,
  resource_type varchar not null,
  resource_query jsonb default '{}',
  status integer not null default 0,
  expires_at timestamp,
  started_at timestamp,
  completed_at timestamp,
  created_at timestamp(6) not null, updated_at timestamp(6) not null,
  membership_id uuid references memberships,
  organization_id uuid references organizations
);

create table active_storage_blobs (
  id uuid primary key default gen_random_uuid(),
  key varchar not null,
  filename varchar not null,
  content_type varchar,
  metadata text,
  service_name varchar not null,
  byte_size bigint not null,
  checksum varchar,
  created_at timestamp(6) not null
);
create unique index on active_storage_blobs (key);

create table active_storage_attachments (
  id uuid primary key default gen_random_uuid(),
  name varchar not null,
  record_type varchar not null,
  blob_id uuid not null references active_storage_blobs,
  created_at timestamp(6) not null,
  record_id uuid
);

create table active_storage_variant_records (
  id uuid primary key default gen_random_uuid(),
  blob_id uuid not null references active_storage_blobs,
  variation_digest varchar not null
);
create unique index on active_storage_variant_records (blob_id, variation_digest);
