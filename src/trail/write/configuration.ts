import type pg from 'pg';
import { formatLsn, type Lsn } from '../../pg/lsn.js';
import { queryTrail } from '../query.js';

/** A configuration as the trail stores it; see `Definition` in tracking/rules.ts. */
export interface StoredConfiguration {
  readonly digest: string;
  readonly document: string;
}

/**
 * How a configuration came into effect. The words are stored in the configuration's entry, so they must not
 * change.
 */
export type Adoption = 'start' | 'reload' | 'apply' | 'source as configured';

/** Reads the configuration that is in effect at the checkpoint. Returns undefined if none was ever stored. */
export async function readConfiguration(client: pg.Client): Promise<StoredConfiguration | undefined> {
  const [row] = await queryTrail<{ digest: string; document: string }>(
    client,
    /* sql */ `select digest, document from trail.configuration order by id desc limit 1`,
  );
  return row;
}

/**
 * Stores a configuration that takes effect at the checkpoint, with an entry that shows the differences. The
 * caller must have begun a transaction. Call it only while there is no writer.
 */
export async function adoptConfiguration(
  client: pg.Client,
  adopted: StoredConfiguration & {
    readonly lsn: Lsn;
    readonly how: Adoption;
    /** Account of the operator who requested it; null: nobody did, or the account is not known. */
    readonly askedBy: string | null;
    /**
     * Parts that differ, as JSON. If `before` is null, there was no earlier configuration, and no entry is
     * stored.
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
 * Reads the rule under which the rows of each lookup table were completely read: JSON text by `table_name` of
 * `trail.lookup`. A table is left out if changes of it may be missing since then.
 *
 * @param tables table of the source for each `table_name`
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
 * Stores the rule under which all rows of a lookup table were read, by `table_name` of `trail.lookup`.
 * `wanted` names all lookup tables in use. The rules of others are forgotten.
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
