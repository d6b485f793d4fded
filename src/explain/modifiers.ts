import { LENGTH_UNCHANGED } from '../pgoutput/tuple.js';
import { Attribution } from '../pipeline/attribution.js';
import { ModifierFinder, type ModifierColumn } from '../pipeline/modifier-column.js';
import { sentIn } from '../pipeline/old-row.js';
import type { Difference } from '../pipeline/difference.js';
import type { RowChange } from '../pipeline/row-change.js';
import type { Place } from '../tracking/places.js';
import type { Operation } from '../tracking/rules.js';
import type { AskedRung, ExplainedModifier, Lookup } from './explanation.js';
import type { Subject } from './subject.js';
import { NAMES_UNREAD } from './words.js';

/**
 * Returns the modifier that the columns of a change name. A made-up change has nothing that other rungs could
 * read.
 */
export function modifierByColumn(
  subject: Subject,
  options: {
    readonly operation: Operation;
    readonly change: RowChange;
    readonly difference: Pick<Difference, 'isDifferent'>;
  },
): ExplainedModifier {
  const { config } = subject;
  const { operation, change, difference } = options;
  const nobody: ExplainedModifier = {
    rung: 'unattributed',
    key: null,
    name: null,
    actingAs: null,
    rules: [],
    lookup: null,
    lastSetBy: null,
    rungs: askedRungs(subject, operation),
  };
  const finder = new ModifierFinder(difference);
  if (!finder.find(columnsFor(subject, operation), change, operation === 'update')) return nobody;
  const attribution = new Attribution({
    dictionary: subject.words,
    lookups: NAMES_UNREAD,
    modifiers: config.modifiers,
    trustNames: config.messages.trustNames,
    databaseUsers: config.session?.databaseUser ?? false,
  });
  const { found, row, table, speaks } = finder;
  const person = attribution.people(table).otherByColumn(row, found.column, found.redactor);
  if (person === null) return nobody;
  const rule = ruleOf(subject, found);
  const { key } = person;
  if (!speaks) return { ...nobody, lastSetBy: { key, rule } };
  return { ...nobody, rung: 'column', key, rules: [rule], lookup: lookupOf(subject, table) };
}

/** Rules of `modifier` that may have named the modifier of a stored entry, if its rung is `column`. */
export function columnRules(
  subject: Subject,
  {
    operation,
    change,
    key,
  }: { readonly operation: Operation; readonly change: RowChange; readonly key: string },
): readonly Place[] {
  const columns = columnsFor(subject, operation);
  const able = columns.filter(({ column, fit, redactor }) => {
    if (fit?.(change) === 'does not fit') return false;
    const holder = sentIn(column, change.row!, change.previous);
    if (holder === null || holder.lengths[column] === LENGTH_UNCHANGED || redactor !== null) return true;
    const value = holder.text(column);
    // Keys of all tables but the first are shown after the table's name.
    return value !== null && (key === value || key.endsWith(`:${value}`));
  });
  return able.map((column) => ruleOf(subject, column));
}

/** Returns the table of modifiers with an index; null if the YAML names none. */
export function lookupOf({ config }: Subject, table: number): Lookup | null {
  const rule = config.modifiers[table];
  if (rule === undefined) return null;
  const path = ['modifiers', ...(rule.called === null ? [] : [rule.called])];
  return { table: rule.table, key: rule.key, rule: config.places.find(path) };
}

/** Returns the rungs that are asked about a change, in order. */
export function askedRungs(subject: Subject, operation: Operation): readonly AskedRung[] {
  const { config, relation } = subject;
  const { attribution, session, places } = config;
  const columns = columnsFor(subject, operation);
  const rungs: readonly AskedRung[] = [
    { rung: 'message', names: [], rules: [] },
    {
      rung: 'witness',
      names: attribution.map(({ table }) => table),
      rules: attribution.map((_, index) => places.find(['attribution', index])),
    },
    {
      rung: 'column',
      names: columns.map(({ column }) => relation.columns[column]!.name),
      rules: columns.map((column) => ruleOf(subject, column)),
    },
    {
      rung: 'session',
      names: session?.settings.map(({ setting }) => setting) ?? [],
      rules: session === null ? [] : [places.find(['session'])],
    },
  ];
  return rungs.filter(({ rung, rules }) => rung === 'message' || rules.length > 0);
}

/** Columns that are asked. A delete has none: no column says who deleted a row. */
function columnsFor({ tracked }: Subject, operation: Operation): readonly ModifierColumn[] {
  if (operation === 'insert') return tracked.insertModifiers;
  return operation === 'update' ? tracked.updateModifiers : [];
}

/** The place of a rule. A single rule may be only the name of its column. */
const ruleOf = ({ at, rule }: Subject, { index }: ModifierColumn): Place =>
  at('modifier', ...(rule.modifier.length === 1 ? [] : [index]));
