import type { Tuple } from '../pgoutput/tuple.js';
import { DIFFERENT, EQUAL, UNKNOWN } from '../pipeline/difference.js';
import { RowChange } from '../pipeline/row-change.js';
import { MASK } from '../pipeline/secret-text.js';
import { formatTable } from '../tracking/names.js';
import type { Operation } from '../tracking/rules.js';
import type { StoredValue } from '../trail/values.js';
import { bytesText } from '../pg/text.js';
import { actionOfBaseline, actionOfEntry } from './actions.js';
import { entityOf, tenantOf } from './entities.js';
import type { ExplainedModifier, Explanation, Lookup } from './explanation.js';
import { askedRungs, columnRules, lookupOf } from './modifiers.js';
import { tuplesOf, type RowTexts } from './rows.js';
import type { StoredEntry } from './stored-entry.js';
import type { Subject } from './subject.js';
import { explainValue } from './values.js';
import type { Field } from './written-entry.js';

/**
 * Explains which keys of the configuration that made a stored entry decided what it shows. An entry lacks
 * values that were redacted, or that an update left as they were. Several keys may then be possible.
 */
export function explainEntry(
  subject: Subject,
  entry: StoredEntry,
  { remarks }: { readonly remarks: readonly string[] },
): Explanation {
  const change = changeOf(subject, entry);
  const operation = asOperation(entry);
  const isBaseline = entry.operation === 'baseline';
  const { isOfRules, ...action } = isBaseline
    ? { ...actionOfBaseline(subject), isOfRules: true }
    : actionOfEntry(subject, { operation, category: entry.action, change });
  return {
    table: formatTable(entry.relation),
    operation: entry.operation,
    rule: subject.at(),
    leftOut: null,
    action,
    entity: entityOf(subject, { type: entry.entityType, id: entry.entityId, name: entry.entityName }),
    tenant: tenantOf(subject, entry.tenant),
    modifier: modifierOf(subject, entry, change),
    values: valuesOf(subject, entry),
    remarks: [
      ...remarks,
      ...(isBaseline ? [BASELINE_REMARK] : []),
      ...(isOfRules
        ? []
        : [`No rule of this configuration gives a change like this the action ${entry.action}.`]),
    ],
  };
}

const BASELINE_REMARK =
  'No change: the row existed already when its table began to be tracked with baseline, or behind a gap. Whoever made it is not known.';

/** A row that existed already has its words as an insert of it would. */
const asOperation = ({ operation }: StoredEntry): Operation =>
  operation === 'baseline' ? 'insert' : operation;

/** What of the change can be known from its entry. */
function changeOf(subject: Subject, entry: StoredEntry): RowChange {
  const { relation } = subject;
  const operation = asOperation(entry);
  const [previous, updated] = tuplesOf(relation, [
    knownTexts(subject, entry, entry.previous),
    knownTexts(subject, entry, entry.updated),
  ]) as [Tuple, Tuple];
  const change = new RowChange();
  change.row = operation === 'truncate' ? null : operation === 'delete' ? previous : updated;
  if (operation === 'update') {
    change.previous = previous;
    change.changed = changedColumns(subject, entry);
  }
  return change;
}

/** Returns the values that are stored as they were sent. */
function knownTexts(
  { relation, plan }: Subject,
  { columns }: StoredEntry,
  values: readonly StoredValue[] | null,
): RowTexts {
  const known = new Map<string, string | null>();
  values?.forEach((value, index) => {
    const column = columns[index]!;
    const isRedacted = plan.redactions[column]?.whole != null;
    const text = fieldOf(value);
    const name = relation.columns[column]?.name;
    if (name === undefined || text === undefined) return;
    if (text === null || (!isRedacted && !text.includes(MASK))) known.set(name, text);
  });
  return known;
}

/**
 * Marks changed columns as `Difference` does. An entry has each column that may be stored and is not known to
 * be equal.
 */
function changedColumns({ tracked }: Subject, { columns, previous }: StoredEntry): Uint8Array {
  const changed = tracked.dropped.map((isDropped) => (isDropped === 1 ? UNKNOWN : EQUAL));
  columns.forEach((column, index) => {
    changed[column] = previous?.[index]?.is === 'unknown' ? UNKNOWN : DIFFERENT;
  });
  return changed;
}

function modifierOf(subject: Subject, entry: StoredEntry, change: RowChange): ExplainedModifier {
  const { modifier, extra } = entry;
  const operation = asOperation(entry);
  const isOfWaltrail = entry.rung === 'waltrail' || entry.rung === 'baseline';
  const rung = isOfWaltrail ? 'unattributed' : entry.rung;
  const rungs = entry.rung === 'baseline' ? [] : askedRungs(subject, operation);
  const rules =
    rung === 'column' && modifier !== null
      ? columnRules(subject, { operation, change, key: modifier.key })
      : (rungs.find((asked) => asked.rung === rung)?.rules ?? []);
  return {
    rung,
    key: modifier?.key ?? null,
    name: modifier?.name ?? null,
    actingAs:
      modifier?.actingAs == null
        ? null
        : { ...modifier.actingAs, lookup: lookupOfKey(subject, modifier.actingAs) },
    rules,
    lookup: modifier === null ? null : lookupOfKey(subject, modifier),
    lastSetBy: extra.lastSetBy === null ? null : { key: extra.lastSetBy.key, rule: null },
    rungs,
  };
}

const lookupOfKey = (subject: Subject, { key }: { readonly key: string }): Lookup | null =>
  lookupOf(subject, tableOfKey(subject, key));

/** The index of its table: keys of all but the first have the table's name before them (DECISIONS 84). */
function tableOfKey({ config }: Subject, key: string): number {
  const index = config.modifiers.findIndex(({ called }) => called !== null && key.startsWith(`${called}:`));
  return Math.max(index, 0);
}

function valuesOf(subject: Subject, entry: StoredEntry): Explanation['values'] {
  const side = (values: readonly StoredValue[] | null, index: number) => {
    const value = values?.[index];
    const text = value === undefined ? undefined : fieldOf(value);
    return { sent: text, stored: text };
  };
  return entry.columns.flatMap((column, index) =>
    subject.relation.columns[column] === undefined
      ? []
      : [
          explainValue(subject, column, {
            previous: side(entry.previous, index),
            updated: side(entry.updated, index),
            isShown: true,
          }),
        ],
  );
}

/** Returns the text of a stored value. Undefined if it is not known, or too large to be stored. */
function fieldOf(value: StoredValue): Field {
  if (value.is === 'null') return null;
  if (value.is === 'text') return value.text;
  return value.is === 'bytes' ? bytesText(value.text) : undefined;
}
