import type { SourceFacts, TableFacts } from './facts.js';
import { fateOf } from './left-out.js';
import { proposeEntities } from './propose-entities.js';
import { labelsOf, typedLabelsOf } from './propose-labels.js';
import { loginsOf } from './propose-logins.js';
import { modifierColumns } from './propose-modifiers.js';
import { noiseOf } from './propose-noise.js';
import { proposePeople } from './propose-people.js';
import { prefixedTables } from './propose-prefixes.js';
import { keysOfSecrets, secretsOf } from './propose-secrets.js';
import { isWorthBaseline } from './propose-baseline.js';
import { proposeSession } from './propose-session.js';
import { publicationName, sourceName } from './propose-source.js';
import { proposeTenant, tenantsOf } from './propose-tenant.js';
import { valuesOf } from './propose-values.js';
import { auditColumn, witnessesOf } from './propose-witnesses.js';
import type { LeftOut, Lookup, Proposal, TableProposal } from './proposal.js';
import { lookupOf, rowName } from './row-names.js';
import { TableIndex } from './table-index.js';
import { tableFacts } from './table-comments.js';

/**
 * Decides what the YAML says about every table. Pure.
 *
 * @param refused tables that plan refuses, with its reason; they are left out
 */
export function propose(facts: SourceFacts, refused: ReadonlyMap<string, string> = new Map()): Proposal {
  const { tracked, leftOut } = sorted(facts, refused);
  const index = new TableIndex(tracked);
  const byKey = new Map(tracked.map((table) => [table.key, table]));
  const own = tracked.flatMap(secretsOf);
  const secrets = [...own, ...tracked.flatMap((table) => keysOfSecrets(table, own))];
  const hidden = hiddenColumns(secrets);
  const names = new Map(tracked.map((table) => [table.key, rowName(table, hidden(table.key))]));
  const lookups = new Map(
    tracked.flatMap((table): [string, Lookup][] => {
      const lookup = lookupOf(table, names.get(table.key)!);
      return lookup === null ? [] : [[table.key, lookup]];
    }),
  );
  const prefixed = tracked.flatMap((table) => {
    const column = auditColumn(table, byKey);
    return column === undefined ? [] : prefixedTables(column, table, index).map((found) => found.facts);
  });
  const people = proposePeople(tracked, { lookups, prefixed });
  const peopleGround = { people, facts: byKey, index };
  const witnesses = tracked.flatMap((table) => witnessesOf(table, peopleGround));
  const audits = new Set(witnesses.map((witness) => witness.table));
  const tenant = proposeTenant(tracked, index);
  const entities = proposeEntities(tracked);
  const labelGround = { index, facts: byKey, lookups, people: people.map(({ table }) => table) };
  const tenants = tenantsOf(tracked, tenant, labelGround);
  const tables = tracked.map((table): TableProposal => {
    const isWitness = audits.has(table.key);
    const logins = loginsOf(table, people);
    const modifiers = isWitness ? [] : [...logins.modifiers, ...modifierColumns(table, peopleGround)];
    const noise = noiseOf(table, index);
    const watched = logins.actions.flatMap(({ column }) => column?.name ?? []);
    return {
      table: table.key,
      facts: tableFacts(table, { isWitness }),
      entity: entities.get(table.key) ?? null,
      name: names.get(table.key)!,
      id: idOf(table),
      tenant: tenants.get(table.key) ?? null,
      modifiers,
      operations: isWitness ? ['update', 'delete', 'truncate'] : null,
      ignore: [
        ...noise,
        ...modifiers.filter(({ on, action }) => on === null && action === null).map(({ column }) => column),
      ].filter((column) => !watched.includes(column) && !table.table.primaryKey.includes(column)),
      labels: labelsOf(table, labelGround),
      typedLabels: typedLabelsOf(table, labelGround),
      actions: logins.actions,
      baseline: !isWitness && isWorthBaseline(table),
      values: valuesOf(table),
    };
  });
  const source = sourceName(facts.catalog);
  return {
    source: { name: source, publication: publicationName(facts.catalog, source) },
    people,
    witnesses,
    session: proposeSession(facts, { people, tracked }),
    secrets,
    tenant,
    tables,
    leftOut,
  };
}

/** Divides tables into those that are tracked and those that are left out. */
function sorted(
  { tables }: SourceFacts,
  refused: ReadonlyMap<string, string>,
): { readonly tracked: readonly TableFacts[]; readonly leftOut: readonly LeftOut[] } {
  const tracked: TableFacts[] = [];
  const leftOut: LeftOut[] = [];
  for (const facts of tables.values()) {
    const fate = fateOf(facts);
    if (fate.is === 'passed over') continue;
    const reason = fate.is === 'tracked' ? refused.get(facts.key) : fate.reason;
    if (reason === undefined) tracked.push(facts);
    else leftOut.push({ table: facts.key, reason, isSent: fate.is !== 'not sent' });
  }
  return { tracked, leftOut };
}

/** Returns the redacted columns by table. */
function hiddenColumns(secrets: Proposal['secrets']): (table: string) => ReadonlySet<string> {
  const byTable = new Map<string, Set<string>>();
  for (const { table, columns } of secrets) {
    const hidden = byTable.get(table) ?? new Set();
    for (const column of columns) hidden.add(column);
    byTable.set(table, hidden);
  }
  return (table) => byTable.get(table) ?? new Set();
}

/** For a table without primary key, the not-null columns of a unique index; null for the default. */
const idOf = ({ table, columns }: TableFacts): readonly string[] | null => {
  if (table.primaryKey.length > 0) return null;
  return table.keys.find((key) => key.columns.every((name) => columns.has(name)))?.columns ?? null;
};
