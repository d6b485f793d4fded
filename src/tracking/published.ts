import type pg from 'pg';
import { parseLsn, type Lsn } from '../pg/lsn.js';

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

/** A look: the state, and a position before which every change was written under this state or an earlier one. */
export interface PublishedLook {
  readonly state: PublishedState;
  readonly lsn: Lsn;
}

/**
 * Two small statements, cheap enough to be asked every other second. The position is read before: read after the
 * snapshot of the state, it could lie behind a change of the catalog that the snapshot does not show.
 */
export async function lookAtPublished(client: pg.Client, publication: string): Promise<PublishedLook> {
  const { rows: position } = await client.query<{ lsn: string }>(
    /* sql */ `select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`,
  );
  const { rows } = await client.query<{ state: PublishedState }>(STATE, [publication]);
  return { lsn: parseLsn(position[0]!.lsn), state: rows[0]!.state };
}

/** Which of these relations (by oid) exist no more. */
export async function goneRelations(
  client: pg.Client,
  oids: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ oid: string }>(
    /* sql */ `select oid::text from unnest($1::oid[]) as known (oid)
                where not exists (select from pg_catalog.pg_class c where c.oid = known.oid)`,
    [oids],
  );
  return new Set(rows.map(({ oid }) => oid));
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
