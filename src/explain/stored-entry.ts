import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { RUNG, type RelationVersion } from '../pipeline/ports.js';
import { MAX_ENTRY_ID } from '../trail/entry-id.js';
import { queryTrail } from '../trail/query.js';
import { readExtra, type Extra } from '../trail/read/extra.js';
import { OPERATIONS } from '../trail/read/decode.js';
import type { EntryRow } from '../trail/read/entry-row.js';
import type { Rung } from '../trail/read/entry.js';
import { RUNGS } from '../trail/read/rungs.js';
import type { EntryOperation } from '../tracking/rules.js';
import { decodeColumns, decodeFields, type StoredValue } from '../trail/values.js';

/** A stored entry, with the version of its table. */
export interface StoredEntry {
  readonly id: string;
  readonly operation: EntryOperation;
  readonly rung: Rung;
  /** Null: nobody. */
  readonly modifier: {
    readonly key: string;
    readonly name: string;
    /** Null: in their own name. */
    readonly actingAs: { readonly key: string; readonly name: string } | null;
  } | null;
  readonly action: string;
  readonly entityType: string;
  readonly entityId: string | null;
  readonly entityName: string | null;
  readonly tenant: string | null;
  readonly relation: RelationVersion;
  /** Indexes of the columns that the entry has. */
  readonly columns: readonly number[];
  /** In the order of `columns`; null if there is no such side. */
  readonly previous: readonly StoredValue[] | null;
  readonly updated: readonly StoredValue[] | null;
  readonly extra: Extra;
  /**
   * The configuration that made the entry. Null for an entry of an earlier release, which did not store it.
   */
  readonly configuration: {
    readonly digest: string;
    readonly document: string;
    readonly since: string;
  } | null;
}

/**
 * Reads an entry by its id. Throws EXPLAIN_ENTRY_UNKNOWN, and what `queryTrail` throws.
 */
export async function readStoredEntry(client: pg.Client, id: string): Promise<StoredEntry> {
  const unknown = new WaltrailError('EXPLAIN_ENTRY_UNKNOWN', `The trail has no entry "${id}".`);
  if (!/^\d{1,19}$/.test(id) || BigInt(id) > MAX_ENTRY_ID) throw unknown;
  const [row] = await queryTrail<Row>(client, ENTRY_SQL, [id]);
  if (row === undefined) throw unknown;
  const fields = (side: string | null): readonly StoredValue[] | null =>
    side === null ? null : decodeFields(side);
  return {
    id,
    operation: OPERATIONS[row.operation],
    rung: RUNGS[row.rung],
    modifier: row.modifier,
    action: row.action,
    entityType: row.entityType,
    entityId: row.entityId,
    entityName: row.entityName,
    tenant: row.tenant,
    relation: row.relation,
    columns: decodeColumns(row.columns, row.relation.columns.length),
    previous: fields(row.previous),
    updated: fields(row.updated),
    extra: readExtra(row.extra),
    configuration: row.configuration,
  };
}

/** Reads every version of a table that the trail knows, oldest first. */
export const readTableVersions = (client: pg.Client): Promise<readonly RelationVersion[]> =>
  queryTrail<RelationVersion & pg.QueryResultRow>(
    client,
    /* sql */ `select schema_name as schema, table_name as table, columns from trail.relation order by id`,
  );

type Row = Pick<StoredEntry, 'modifier' | 'action' | 'entityType' | 'entityId' | 'entityName'> &
  Pick<StoredEntry, 'tenant' | 'relation' | 'configuration'> &
  Pick<EntryRow, 'operation' | 'rung'> & {
    readonly columns: string | null;
    readonly previous: string | null;
    readonly updated: string | null;
    readonly extra: string | null;
  };

const ENTRY_SQL = /* sql */ `
  select e.operation::text as operation, e.rung::text as rung, a.name as action, t.name as "entityType",
         e.entity_id as "entityId", e.entity_name as "entityName", n.name as tenant, e.columns, e.previous, e.updated, e.extra,
         case when m.key is not null and e.rung <> '${RUNG.baseline}' then json_build_object('key', m.key, 'name', m.name,
           'actingAs', case when i.key is not null then json_build_object('key', i.key, 'name', i.name) end) end as modifier,
         json_build_object('schema', r.schema_name, 'table', r.table_name, 'columns', r.columns) as relation,
         (select json_build_object('digest', c.digest, 'document', c.document, 'since', c.adopted_at)
            from trail.configuration c where c.from_id <= e.id order by c.id desc limit 1) as configuration
    from trail.entry e
    join trail.action a on a.id = e.action_id
    join trail.entity_type t on t.id = e.entity_type_id
    join trail.relation r on r.id = e.relation_id
    left join trail.modifier m on m.id = e.modifier_id
    left join trail.modifier i on i.id = m.acting_as
    left join trail.tenant n on n.id = e.tenant_id
   where e.id = $1::int8`;
