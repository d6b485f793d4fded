import type pg from 'pg';
import type { Lsn } from '../pg/lsn.js';
import { runningTransactions } from '../pg/running.js';
import { currentLsn } from '../pg/wal.js';

/**
 * What decides which changes the stream carries, as one look at the source found it. Compared with the last look, it
 * tells what the stream does not: that a table was unpublished for a while, or the publication made anew.
 */
export interface PublishedState {
  /** Identity of the publication: made anew it is another. Null: there is none. */
  readonly publication: string | null;
  /** Its options and the transaction that set them last. */
  readonly options: string | null;
  /** Its tables by oid. */
  readonly tables: Readonly<Record<string, PublishedTableState>>;
}

export interface PublishedTableState {
  readonly schema: string;
  readonly table: string;
  /** Identity of its membership in the publication, with row filter and column list. */
  readonly membership: string;
  /** As pg_class.relreplident: `f` for full. */
  readonly identity: string;
}

/** A look: the state, and the position of the WAL before it. */
export interface PublishedLook {
  readonly state: PublishedState;
  readonly lsn: Lsn;
}

/**
 * Three small statements, cheap enough to be asked every other second, in this order: position, transactions that run,
 * state. A change of the catalog whose commit lies before the position and which the state does not show was made by one of
 * those transactions: its commit is in the WAL before anybody can see it, with synchronous replication for as long as the
 * standby takes.
 */
export async function lookAtPublished(
  client: pg.Client,
  publication: string,
): Promise<PublishedLook & { readonly running: readonly string[] }> {
  const lsn = await currentLsn(client);
  const running = await runningTransactions(client);
  const { rows } = await client.query<{ state: PublishedState }>(STATE, [publication]);
  return { lsn, running, state: rows[0]!.state };
}

/** What became of the tables of an earlier look, by oid. */
export interface TableFate {
  /** They exist no more. */
  readonly gone: ReadonlySet<string>;
  /** Another table has the name now: the two were swapped, or it was dropped and made anew. */
  readonly replaced: ReadonlySet<string>;
}

/** Asks the catalog about the tables of an earlier look. */
export async function fateOfTables(client: pg.Client, tables: PublishedState['tables']): Promise<TableFate> {
  const known = Object.entries(tables);
  const { rows } = await client.query<{ oid: string; gone: boolean; replaced: boolean }>(
    /* sql */ `select known.oid::text,
                      not exists (select from pg_catalog.pg_class c where c.oid = known.oid) as gone,
                      exists (select from pg_catalog.pg_class c
                                join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                               where n.nspname = known.schema and c.relname = known.name
                                 and c.relkind in ('r', 'p') and c.oid <> known.oid) as replaced
                 from unnest($1::oid[], $2::text[], $3::text[]) as known (oid, schema, name)`,
    [known.map(([oid]) => oid), known.map(([, { schema }]) => schema), known.map(([, { table }]) => table)],
  );
  const oids = (of: 'gone' | 'replaced') => new Set(rows.filter((row) => row[of]).map(({ oid }) => oid));
  return { gone: oids('gone'), replaced: oids('replaced') };
}

// to_jsonb() makes one query fit all versions; xmin tells that options were changed and changed back.
const STATE = /* sql */ `
  select pg_catalog.jsonb_build_object(
    'publication', p.oid::text,
    'options', (pg_catalog.to_jsonb(p) - array['oid', 'pubname', 'pubowner'])::text || ' ' || p.xmin,
    'tables', coalesce((
      select pg_catalog.jsonb_object_agg(c.oid::text, pg_catalog.jsonb_build_object(
               'schema', n.nspname, 'table', c.relname,
               'membership', (pg_catalog.to_jsonb(r) - array['prpubid', 'prrelid'])::text,
               'identity', c.relreplident::text))
        from pg_catalog.pg_publication_rel r
        join pg_catalog.pg_class c on c.oid = r.prrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where r.prpubid = p.oid), '{}')) as state
    from (values ($1::text)) as wanted (name)
    left join pg_catalog.pg_publication p on p.pubname = wanted.name`;
