import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import { withClient } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { sqlStateOf } from '../pg/sql-state.js';
import type { RelationVersion } from '../pipeline/ports.js';
import { readCatalog, type Catalog } from '../tracking/catalog.js';
import { indexOf } from '../tracking/catalog-index.js';
import { documentDifference, restoreConfig } from '../tracking/configuration.js';
import { formatTable } from '../tracking/names.js';
import type { Operation, TrackingConfig } from '../tracking/rules.js';
import { checkedCheckpointSlot, hasTrail } from '../trail/checkpoint-slot.js';
import { queryTrail } from '../trail/query.js';
import { takeRole } from '../trail/roles.js';
import { explainChange } from './explain-change.js';
import { explainEntry } from './explain-entry.js';
import type { Explanation } from './explanation.js';
import { readValues, trackedTable } from './made-up.js';
import { readStoredEntry, readTableVersions, type StoredEntry } from './stored-entry.js';
import { factsOf, relationOf, subjectOf, type Subject } from './subject.js';

/**
 * Explains a made-up change. Reads the catalog of the source and which tables the trail knows, but no row.
 * Throws EXPLAIN_…, and what connecting to the source throws.
 *
 * @param options.values JSON object of columns and values
 * @param options.old the same for the row before an update
 */
export async function explainMadeUp(options: {
  readonly config: TrackingConfig;
  readonly table: string;
  readonly operation: Operation;
  readonly values: string;
  readonly old: string;
}): Promise<Explanation> {
  const { config, operation } = options;
  const catalog = await readSource(config);
  const table = trackedTable(options.table, { config, catalog });
  const relation = relationOf(table);
  const row = readValues(options.values, { relation, what: 'What is changed' });
  const old = readValues(options.old, { relation, what: '--old' });
  const known = await knownTables(config);
  const subject = subjectOf({
    config,
    relation,
    facts: factsOf(table, catalog),
    versions: known.versions,
  });
  return explainChange(tracked(subject, options.table), { operation, row, old }, { remarks: known.remarks });
}

/**
 * Explains an entry of the trail by the configuration that made it. Throws EXPLAIN_ENTRY_UNKNOWN,
 * EXPLAIN_TABLE_UNTRACKED, and what connecting to the trail throws.
 */
export async function explainStored({
  config: file,
  id,
}: {
  readonly config: TrackingConfig;
  readonly id: string;
}): Promise<Explanation> {
  const { entry, versions } = await onTrail(file, async (client) => {
    if (!(await hasTrail(client)))
      throw new WaltrailError('EXPLAIN_ENTRY_UNKNOWN', 'No trail has begun in the database of trail.url.');
    return { entry: await readStoredEntry(client, id), versions: await readTableVersions(client) };
  });
  const name = formatTable(entry.relation);
  if (entry.rung === 'waltrail')
    throw new WaltrailError(
      'EXPLAIN_TABLE_UNTRACKED',
      `Entry ${id} is Waltrail's own (${entry.action}). No key of the YAML makes it.`,
    );
  const { config, remarks } = configurationOf(entry, file);
  const source = await ifAnswered(() => readSource(file));
  const catalog = 'value' in source ? source.value : null;
  const table = catalog === null ? undefined : indexOf(catalog).tables.get(name);
  const subject = subjectOf({
    config,
    relation: {
      oid: Number(table?.oid ?? 0),
      schema: entry.relation.schema,
      table: entry.relation.table,
      replicaIdentity: 'f',
      columns: entry.relation.columns.map((column) => ({
        name: column.name,
        typeOid: column.type,
        typeModifier: -1,
        isKey: true,
      })),
    },
    facts: table === undefined ? undefined : factsOf(table, catalog!),
    versions,
  });
  return explainEntry(tracked(subject, name), entry, {
    remarks: [
      ...remarks,
      ...('value' in source
        ? table === undefined
          ? [`The source no longer has table ${name}: its primary key and user-defined types are not known.`]
          : []
        : [
            `The source could not be asked for the table's primary key and user-defined types: ${source.error.message}`,
          ]),
    ],
  });
}

function tracked(subject: Subject | undefined, table: string): Subject {
  if (subject !== undefined) return subject;
  throw new WaltrailError(
    'EXPLAIN_TABLE_UNTRACKED',
    `${table} is not tracked by the configuration: no key of tables matches it.`,
  );
}

/**
 * Returns the configuration that made an entry. If the file has the same one, the places in the file are
 * known.
 */
function configurationOf(
  { configuration }: StoredEntry,
  file: TrackingConfig,
): { readonly config: TrackingConfig; readonly remarks: readonly string[] } {
  if (configuration === null)
    return {
      config: file,
      remarks: [
        'The trail does not know which configuration made the entry. The entry is explained by the file.',
      ],
    };
  if (configuration.digest === file.definition.digest) return { config: file, remarks: [] };
  const restored = restoreConfig(configuration.document, file);
  const { before, after } = documentDifference(configuration.document, file.definition.document);
  const parts = [before, after].flatMap((part) => Object.keys(JSON.parse(part ?? '{}') as object));
  const differ = `The configuration that made the entry was in effect from ${configuration.since} on. The file differs from it in: ${[...new Set(parts)].join(', ')}.`;
  return restored === undefined
    ? {
        config: file,
        remarks: [
          `${differ} This version of Waltrail cannot read that configuration. The entry is explained by the file.`,
        ],
      }
    : { config: restored, remarks: [`${differ} The entry is explained by the configuration that made it.`] };
}

/** Reads the tables that the trail knows, and remarks what could not be asked. */
async function knownTables(
  config: TrackingConfig,
): Promise<{ readonly versions: readonly RelationVersion[]; readonly remarks: readonly string[] }> {
  const trail = await ifAnswered(() =>
    onTrail(config, async (client) => {
      if (!(await hasTrail(client))) return { versions: [], digest: undefined };
      const [stored] = await queryTrail<{ digest: string }>(
        client,
        /* sql */ `select digest from trail.configuration order by id desc limit 1`,
      );
      return { versions: await readTableVersions(client), digest: stored?.digest };
    }),
  );
  if ('error' in trail)
    return {
      versions: [],
      remarks: [
        `The trail could not be asked which tables already have an entity type, and which columns were renamed: ${trail.error.message}`,
      ],
    };
  const { versions, digest } = trail.value;
  const isInEffect = digest === undefined || digest === config.definition.digest;
  return {
    versions,
    remarks: isInEffect
      ? []
      : ['The configuration of the file is not in effect yet. Entries are made by another one now.'],
  };
}

const readSource = (config: TrackingConfig): Promise<Catalog> => {
  const address = { url: config.source.url, side: 'source' } as const;
  return withClient({ ...address, purpose: 'explain' }, readCatalog).catch((error: unknown) => {
    throw isWaltrailError(error) || sqlStateOf(error) === undefined ? error : queryError(address, error);
  });
};

const onTrail = <T>(config: TrackingConfig, work: (client: pg.Client) => Promise<T>): Promise<T> =>
  withClient({ url: config.trail.url, side: 'trail', purpose: 'explain' }, async (client) => {
    await checkedCheckpointSlot(client, { url: config.trail.url, source: config.source.name });
    await takeRole(client, 'waltrail_reader');
    return work(client);
  });

/** Returns the result of `work`, or the error of a side that does not answer or refuses. */
async function ifAnswered<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly error: WaltrailError }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!isWaltrailError(error)) throw error;
    return { error };
  }
}
