import type { Table } from './catalog.ts';
import { insertSql } from './seed.ts';
import { step, updateStep, type Person, type Step } from './steps.ts';
import type { Operation, Witness, Witnessed, WitnessOrder } from './truth.ts';
import type { Row, World } from './world.ts';

/** A change that was made, as the application knows it. */
export interface Done {
  readonly step: Step;
  readonly table: Table;
  readonly row: Row;
  /** Columns that an update changed, except the time of the change. */
  readonly columns: readonly string[];
}

/** Audit rows of a change: before and after it in its transaction, and in the next transaction. */
export interface AuditRows {
  readonly before: readonly Step[];
  readonly after: readonly Step[];
  readonly late: readonly Step[];
}

/** Returns the audit rows that such a change has. */
export const witnessed = (
  world: World,
  table: string,
  operation: Operation,
): readonly (readonly [Witness, Witnessed])[] =>
  world.truth.witness.flatMap((witness) =>
    witness.of
      .filter((of) => of.table === table && of.on.includes(operation))
      .map((of) => [witness, of] as const),
  );

/** The operations with an audit row after the change. */
const AFTER: Readonly<Record<WitnessOrder, readonly Operation[]>> = {
  before: [],
  after: ['insert', 'update', 'delete'],
  'after inserts, before others': ['insert'],
  'after, before deletes': ['insert', 'update'],
};

export function auditRows(world: World, done: Done, actor: Person | null): AuditRows {
  const rows = { before: [] as Step[], after: [] as Step[], late: [] as Step[] };
  const { operation } = done.step.change;
  for (const [witness, of] of witnessed(world, done.table.name, operation)) {
    if (of.column !== undefined && !done.columns.includes(of.column)) continue;
    const isAfter = AFTER[of.order ?? witness.order].includes(operation);
    const place = of.isLate === true ? 'late' : isAfter ? 'after' : 'before';
    rows[place].push(...auditRow(world, { witness, of, done, actor }));
  }
  return rows;
}

/**
 * Returns the audit row of a change. The audit row of a job names nobody. If the column for a name is
 * required, there is none.
 */
function auditRow(
  world: World,
  audited: {
    readonly witness: Witness;
    readonly of: Witnessed;
    readonly done: Done;
    readonly actor: Person | null;
  },
): readonly Step[] {
  const { witness, of, done, actor } = audited;
  const table = world.table(witness.table);
  const modifier = table.columns.find((column) => column.name === witness.modifier)!;
  if (actor === null && modifier.isRequired) return [];
  const nobody = Object.fromEntries(Object.keys(witness.when).map((column) => [column, null]));
  const row = world.add(table, {
    ...tenantOf(world, table, done.row),
    ...(actor === null ? nobody : witness.when),
    [witness.modifier]: actor === null ? null : `${witness.prefix ?? ''}${actor.key}`,
    [witness.row.type]: of.type,
    [witness.row.key]: done.step.change.key[0]!,
    [witness.action]: of.word ?? witness.words[done.step.change.operation],
  })!;
  const inserted = step({ operation: 'insert', table, row, isWitness: true }, insertSql(table, [row]));
  if (witness.touched === undefined) return [inserted];
  const touched = table.columns.find((column) => column.name === witness.touched)!;
  const value = `${world.value(table, touched, 1)}@example.org`;
  return [inserted, updateStep({ table, row, isWitness: true }, { [touched.name]: value })];
}

/** Returns the tenant of the changed row for an audit row that names a tenant. */
function tenantOf(world: World, audits: Table, row: Row): Row {
  const { tenant } = world.truth;
  if (tenant === null) return {};
  const key = row[tenant.column];
  const pair = world.polymorphic(audits).find(({ of }) => Object.values(of).join() === tenant.table);
  return pair === undefined || key === undefined || key === null ? {} : { [pair.key]: key };
}
