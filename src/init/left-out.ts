import { isNeverTracked } from '../tracking/names.js';
import type { TableFacts } from './facts.js';

/** What `init` does with a table. */
export type Fate =
  | { readonly is: 'tracked' }
  /** A partition, a view or a temporary table: there is nothing to decide. */
  | { readonly is: 'passed over' }
  | { readonly is: 'left out'; readonly reason: string }
  /** PostgreSQL sends none of its rows, so nothing has to be excluded. */
  | { readonly is: 'not sent'; readonly reason: string };

/**
 * Decides about a table by what it is for. The bookkeeping of frameworks, queues and sessions changes with
 * every request, and nothing in it interests an administrator.
 */
export function fateOf({ table, extension }: TableFacts): Fate {
  const { schema, name, kind, persistence } = table;
  if (
    table.partitionOf !== null ||
    kind === 'view' ||
    kind === 'materialized view' ||
    persistence === 'temporary'
  )
    return { is: 'passed over' };
  if (isNeverTracked(schema)) return { is: 'passed over' };
  if (persistence === 'unlogged')
    return { is: 'not sent', reason: 'unlogged: its changes are not in the WAL' };
  if (kind === 'foreign table')
    return { is: 'not sent', reason: 'a foreign table: its changes are in the WAL of another server' };
  if (extension !== null) return leftOut(`belongs to the extension ${extension}`);
  const reason =
    BY_SCHEMA.find(({ schemas }) => schemas.test(schema))?.reason ??
    BY_NAME.find(({ names }) => names.test(name))?.reason;
  return reason === undefined ? { is: 'tracked' } : leftOut(reason);
}

const leftOut = (reason: string): Fate => ({ is: 'left out', reason });

const BY_SCHEMA: readonly { readonly schemas: RegExp; readonly reason: string }[] = [
  { schemas: /^(?:pgboss|pgboss_v\d+|graphile_worker|oban|procrastinate|river)$/, reason: 'a job queue' },
  {
    schemas: /^(?:drizzle|supabase_migrations|hdb_catalog|flyway|liquibase)$/,
    reason: 'migrations and metadata',
  },
  {
    schemas: /^(?:cron|partman|net|vault|pgsodium|realtime|_realtime|repack|pgagent)$/,
    reason: 'of a tool or an extension',
  },
  { schemas: /^waltrail_source$/, reason: 'of Waltrail itself' },
];

const MIGRATIONS = 'migrations of the schema';
const QUEUE = 'a job queue';
const SESSIONS = 'sessions of browsers and clients';
const CACHE = 'a cache';

const BY_NAME: readonly { readonly names: RegExp; readonly reason: string }[] = [
  {
    names: /^(?:oauth_access_grants|oauth_access_tokens|oauth2_provider_(?:accesstoken|grant|refreshtoken))$/,
    reason: SESSIONS,
  },
  { names: /^pghero_\w+$/, reason: 'statistics of PgHero' },
  { names: /^(?:schema_migrations|ar_internal_metadata|data_migrations)$/, reason: `${MIGRATIONS} (Rails)` },
  { names: /^(?:django_migrations|south_migrationhistory)$/, reason: `${MIGRATIONS} (Django)` },
  { names: /^(?:django_content_type|auth_permission)$/, reason: 'filled by migrations (Django)' },
  {
    names:
      /^(?:flyway_schema_history|databasechangelog|databasechangeloglock|alembic_version|_prisma_migrations|__drizzle_migrations|sequelizemeta|knex_migrations|knex_migrations_lock|pgmigrations|typeorm_metadata|__efmigrationshistory|goose_db_version|gorp_migrations|phinxlog|doctrine_migration_versions|migration_versions|migrations|ecto_schema_migrations|sqitch_changes|atlas_schema_revisions|_sqlx_migrations|__diesel_schema_migrations|refinery_schema_history)$/i,
    reason: MIGRATIONS,
  },
  {
    names: /^(?:django_session|sessions|session|user_sessions|active_sessions|session_activations)$/,
    reason: SESSIONS,
  },
  {
    names:
      /^(?:delayed_jobs|good_jobs?|good_job_\w+|solid_queue_\w+|que_\w+|queue_classic_jobs|sidekiq_\w+|resque_\w+|oban_\w+|jobs|job_batches|failed_jobs|celery_\w+|django_celery_(?:beat|results)_\w+|procrastinate_\w+|bull_\w+|river_\w+|delayed_jobs_\w+|delayed_backend_mongoid_jobs|qrtz_\w+|batch_(?:job|step)_\w+|shedlock|outbox_locks)$/i,
    reason: QUEUE,
  },
  {
    names:
      /^(?:cache|cache_locks|solid_cache_\w+|django_cache\w*|cache_entries|action_cable_\w+|solid_cable_\w+)$/,
    reason: CACHE,
  },
];
