import type pg from 'pg';
import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { queryTrail } from '../query.js';

/** A configuration as the trail keeps it; see `Definition` in tracking/rules.ts. */
export interface StoredConfiguration {
  readonly digest: string;
  readonly document: string;
}

/** How a configuration came into effect. Stored in its entry, so these words stay as they are. */
export type Adoption = 'start' | 'reload' | 'apply' | 'source as configured';

/** Reads the configuration that is in effect at the checkpoint; undefined: none was ever stored. */
export async function readConfiguration(client: pg.Client): Promise<StoredConfiguration | undefined> {
  const [row] = await queryTrail<{ digest: string; document: string }>(
    client,
    /* sql */ `select digest, document from trail.configuration order by id desc limit 1`,
  );
  return row;
}

/**
 * Stores that another configuration is in effect from the checkpoint on, with an entry that shows what
 * differs. The caller has begun a transaction. May be called only while there is no writer.
 */
export async function adoptConfiguration(
  client: pg.Client,
  adopted: StoredConfiguration & {
    readonly lsn: Lsn;
    readonly how: Adoption;
    /** Account of the operator who asked for it; null: nobody did, or it is not known. */
    readonly askedBy: string | null;
    /**
     * The parts that differ, as JSON; `before` null: there was no configuration before, and no entry is made.
     */
    readonly difference: { readonly before: string | null; readonly after: string };
  },
): Promise<void> {
  const { digest, document, lsn, how, askedBy, difference } = adopted;
  await queryTrail(client, /* sql */ `select trail.adopt_configuration($1, $2, $3, $4, $5, $6, $7)`, [
    digest,
    document,
    formatLsn(lsn),
    how,
    askedBy,
    difference.before,
    difference.after,
  ]);
}

/**
 * Reads by which rule rows that are looked into were read whole, as JSON text by `table_name` of
 * `trail.lookup`. Those of a table of which changes may be missing since then are left out.
 *
 * @param tables the tables whose rows these are
 */
export async function readNamesRead(
  client: pg.Client,
  tables: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const rows = await queryTrail<{ table_name: string; rule: string }>(
    client,
    /* sql */ `select n.table_name, n.rule
                 from trail.names_read n
                 left join unnest($1::text[], $2::text[]) as l (table_name, of_table) using (table_name)
                where not exists (select from trail.gap g
                                   where coalesce(l.of_table, n.table_name) = any (g.tables) and coalesce(g.closed_at, 'infinity') > n.read_at)`,
    [[...tables.keys()], [...tables.values()]],
  );
  return new Map(rows.map(({ table_name, rule }) => [table_name, rule]));
}

/**
 * Stores that all rows which are looked into were read, by `table_name` of `trail.lookup` with the rule;
 * `wanted` are all that there are.
 */
export async function rememberNamesRead(
  client: pg.Client,
  options: { readonly wanted: readonly string[]; readonly read: ReadonlyMap<string, string> },
): Promise<void> {
  const { wanted, read } = options;
  await queryTrail(client, /* sql */ `select trail.remember_names_read($1, $2, $3)`, [
    wanted,
    [...read.keys()],
    [...read.values()],
  ]);
}
