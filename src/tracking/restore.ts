import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import type { Catalog, CatalogPublication, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import type { PlanStep } from './findings.js';
import { foundIn, identityOf, NOTHING_FOUND, type Found, type FoundIdentity } from './found.js';
import { listNames } from './list-names.js';
import { tableName } from './names.js';
import { isMarked } from './publication-mark.js';
import { refusesWrites } from './refusal.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, lineageOf, partitionsOf, type PublishedTable } from './tracked.js';

type Given = { readonly config: TrackingConfig; readonly catalog: Catalog };

/** Other publications that a Waltrail has marked as its own. */
export const otherWaltrails = ({ config, catalog }: Given): readonly CatalogPublication[] =>
  catalog.publications.filter(
    (publication) => publication.name !== config.source.publication && isMarked(publication),
  );

/** A table and its partitions: all tables with a replica identity of their own, the table itself first. */
export const membersOf = (table: CatalogTable, catalog: Catalog): readonly CatalogTable[] => [
  table,
  ...partitionsOf(table, catalog).filter(({ kind }) => kind === 'table'),
];

/** Whether a publication holds a table, or a table that it is a partition of. */
export const holds = (publication: CatalogPublication, table: CatalogTable, catalog: Catalog): boolean => {
  const entries = indexOf(catalog).entries.get(publication);
  return lineageOf(table, catalog).some(
    (member) => publication.schemas.includes(member.schema) || entries?.has(keyOf(member)) === true,
  );
};

/**
 * Returns what the publication's comment has to store once a plan is applied. Null: it is unknown what the
 * publication's tables had before.
 *
 * @param options.published tables that are in the publication, or will be
 * @param options.changed canonical names of tables that get another identity by the plan
 */
export function rememberedAfter(
  options: Given & {
    readonly published: readonly PublishedTable[];
    readonly changed: ReadonlySet<string>;
  },
): Found | null {
  const { catalog, published, changed } = options;
  const existing = catalog.publications.find(({ name }) => name === options.config.source.publication);
  const known = knownOf(existing);
  if (known === null) return null;
  const identities = new Map([...known.identities].filter(([key]) => indexOf(catalog).tables.has(key)));
  const isOurs = existing !== undefined && foundIn(existing) !== null;
  for (const { table } of published) {
    const isHeld = isOurs && holds(existing, table, catalog);
    for (const member of membersOf(table, catalog)) {
      const key = keyOf(member);
      if (identities.has(key) || (isHeld && !changed.has(key))) continue;
      const identity = beforeWaltrail(member, options);
      if (identity !== undefined) identities.set(key, identity);
    }
  }
  return { identities, adopted: known.adopted };
}

/** What is known about the publication now. For a new or adopted one, that is everything. */
function knownOf(existing: CatalogPublication | undefined): Found | null {
  if (existing === undefined) return NOTHING_FOUND;
  const found = foundIn(existing);
  if (found !== null || isMarked(existing)) return found;
  return { identities: new Map(), adopted: true };
}

/** Returns the identity that a table has, or had before another Waltrail changed it. */
function beforeWaltrail(table: CatalogTable, given: Given): FoundIdentity | undefined {
  for (const other of otherWaltrails(given)) {
    const found = holds(other, table, given.catalog) ? foundIn(other) : null;
    if (found !== null) return found.identities.get(keyOf(table));
  }
  return identityOf(table);
}

interface Restoring {
  readonly steps: readonly PlanStep[];
  /** Tables that keep another identity than they had, and why. */
  readonly kept: readonly { readonly key: string; readonly why: string }[];
}

/**
 * Plans to give tables that leave the publication their earlier replica identity, if nobody needs the present
 * one.
 *
 * @param options.found null: the earlier identities are unknown
 * @param options.holder whether the publication still holds these tables afterwards
 */
export function restoring(
  leaving: readonly CatalogTable[],
  options: Given & { readonly found: Found | null; readonly holder: 'stays' | 'leaves' },
): Restoring {
  const { catalog, found } = options;
  const after = options.holder === 'stays' ? catalog : withoutPublication(options);
  const others = otherWaltrails(options);
  const steps: PlanStep[] = [];
  const kept: { key: string; why: string }[] = [];
  for (const table of leaving) {
    const key = keyOf(table);
    const before = found?.identities.get(key);
    const now = identityOf(table);
    // An identity that others have set in the meantime stays.
    if (now === before || (now !== 'full' && before === undefined)) continue;
    const holder = others.find((other) => holds(other, table, catalog));
    if (holder !== undefined)
      kept.push({ key, why: `publication ${holder.name} of another Waltrail needs it` });
    else if (found === null) kept.push({ key, why: 'its earlier replica identity is unknown' });
    else if (refusesWrites(restored(table, before), after) !== null && refusesWrites(table, after) === null)
      kept.push({
        key,
        why: 'with its earlier one, PostgreSQL would now refuse its updates and deletes',
      });
    else
      steps.push({
        kind: 'identity_restore',
        tables: [key],
        sql: `alter table only ${quoteTable(table.schema, table.name)} replica identity ${identityClause(before)}`,
        reason: 'it had this one before it was tracked',
        optional: true,
      });
  }
  return { steps, kept };
}

const withoutPublication = ({ config, catalog }: Given): Catalog => ({
  ...catalog,
  publications: catalog.publications.filter(({ name }) => name !== config.source.publication),
});

const restored = (table: CatalogTable, identity: FoundIdentity | undefined): CatalogTable => {
  const index = identity?.startsWith('index ') === true ? identity.slice('index '.length) : null;
  return {
    ...table,
    replicaIdentity: index !== null ? 'index' : ((identity ?? 'default') as CatalogTable['replicaIdentity']),
    keys: table.keys.map((key) => ({ ...key, identity: key.index === index })),
  };
};

const identityClause = (identity: FoundIdentity | undefined): string =>
  identity?.startsWith('index ') === true
    ? `using index ${quoteIdentifier(identity.slice('index '.length))}`
    : (identity ?? 'default');

const quoted = (key: string): string => {
  const { schema, table } = tableName(key);
  return quoteTable(schema, table);
};

/** One warning for each reason. */
export const keptWarnings = (kept: Restoring['kept']): string[] =>
  [...new Set(kept.map(({ why }) => why))].map((why) => {
    const keys = kept.filter((table) => table.why === why).map(({ key }) => key);
    return (
      `${listNames(keys)} ${keys.length === 1 ? 'leaves the publication but keeps its' : 'leave the publication but keep their'} replica identity: ${why}. ` +
      `If nothing needs it: alter table only ${quoted(keys[0]!)} replica identity default;${keys.length === 1 ? '' : ' and the same for the others.'}`
    );
  });
