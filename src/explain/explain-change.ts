import type { Tuple } from '../pgoutput/tuple.js';
import { SKIPPED, matchingRule } from '../pipeline/classification.js';
import { Difference, DIFFERENT, UNKNOWN } from '../pipeline/difference.js';
import { EntryBuilder } from '../pipeline/entry-builder.js';
import { RowChange } from '../pipeline/row-change.js';
import { rulesOf } from '../tracking/redact.js';
import type { Operation } from '../tracking/rules.js';
import { actionOf, rulesFor } from './actions.js';
import type { Explanation, LeftOut } from './explanation.js';
import { modifierByColumn } from './modifiers.js';
import { entityOf, tenantOf } from './entities.js';
import { tuplesOf, type RowTexts } from './rows.js';
import type { Subject } from './subject.js';
import { explainValue, type Side } from './values.js';
import { NAMES_UNREAD } from './words.js';
import { WrittenEntry, type Field } from './written-entry.js';

/** A change that somebody makes up, to see its entry. */
export interface MadeUpChange {
  readonly operation: Operation;
  /**
   * The row after an insert or an update, or before a delete. For an update, only the columns that differ. A
   * column without a value in `old` counts as changed from some other, unknown value.
   */
  readonly row: RowTexts;
  /** The row before an update. A column that is only here has this value and did not change. */
  readonly old: RowTexts;
}

/** Explains the entry that a change would make. The pipeline makes it in memory. */
export function explainChange(
  subject: Subject,
  made: MadeUpChange,
  { remarks }: { readonly remarks: readonly string[] },
): Explanation {
  const { operation } = made;
  const { relation, tracked, words } = subject;
  const [row, previous] = tuplesOf(relation, [made.row, made.old]) as [Tuple, Tuple];
  const difference = new Difference();
  const change = new RowChange();
  change.row = operation === 'truncate' ? null : row;
  const isUpdate = operation === 'update';
  let differs = true;
  if (isUpdate) {
    change.previous = previous;
    differs = difference.find(tracked, previous, row);
    change.changed = difference.columns;
    for (const column of columnsIn(subject, made.row))
      if (difference.columns[column] === UNKNOWN) difference.columns[column] = DIFFERENT;
  }
  const entry = new WrittenEntry();
  const builder = new EntryBuilder({
    rows: entry,
    dictionary: words,
    lookups: NAMES_UNREAD,
    difference,
    transaction: { extra: null },
    tenantUnknown: () => undefined,
  });
  builder[operation](tracked, change);
  return {
    table: subject.plan.qualifiedName,
    operation,
    rule: subject.at(),
    leftOut: leftOutBy(subject, { made, change, differs }),
    action: actionOf(subject, { operation, change }),
    entity: entityOf(subject, {
      type: words.word(entry.entityTypeId),
      id: entry.entityId,
      name: entry.entityName,
    }),
    tenant: tenantOf(subject, entry.tenantId === 0 ? null : words.word(entry.tenantId)),
    modifier: modifierByColumn(subject, {
      operation,
      change,
      difference: {
        isDifferent: (before, after, column) =>
          isNewHere(subject, made, column) || difference.isDifferent(before, after, column),
      },
    }),
    values: valuesOf(subject, { made, entry, difference }),
    remarks: [...remarks, ...hashRemarks(subject)],
  };
}

/** Remarks about hashes, which ids, names, keys and members may contain. */
const hashRemarks = ({ config, relation }: Subject): readonly string[] =>
  rulesOf(config, relation).some((rule) => rule.with.method === 'hash')
    ? [
        'Hashes are computed with a key of the trail that only capture reads. A hash shown here differs from the one in an entry.',
      ]
    : [];

/** Stands for a hash. */
const HASH = '(hash)';

/** Indexes of the columns that a row has. */
const columnsIn = ({ relation }: Subject, row: RowTexts): readonly number[] =>
  relation.columns.flatMap(({ name }, column) => (row.has(name) ? [column] : []));

/** Whether an update gives a column a new value although its old one is not known. */
function isNewHere({ relation }: Subject, { row, old }: MadeUpChange, column: number): boolean {
  const { name } = relation.columns[column]!;
  return row.has(name) && !old.has(name);
}

function leftOutBy(
  subject: Subject,
  {
    made,
    change,
    differs,
  }: { readonly made: MadeUpChange; readonly change: RowChange; readonly differs: boolean },
): LeftOut | null {
  const { operation } = made;
  const { tracked, rule, at } = subject;
  if (rule.operations?.includes(operation) === false) return { by: 'operations', rule: at('operations') };
  if (!differs) {
    const isIgnored = columnsIn(subject, made.row).some((column) => tracked.ignored[column] === 1);
    return isIgnored ? { by: 'ignore', rule: at('ignore') } : { by: 'nothing changed', rule: null };
  }
  if (tracked.filters[operation]?.(change) ?? true) return null;
  const { actionId, index } = matchingRule(rulesFor(subject, operation), change);
  return actionId === SKIPPED
    ? { by: 'skip', rule: at('actions', index!) }
    : { by: 'where', rule: at('where') };
}

/** Explains how each given value is stored, in the order of the table's columns. */
function valuesOf(
  subject: Subject,
  {
    made,
    entry,
    difference,
  }: { readonly made: MadeUpChange; readonly entry: WrittenEntry; readonly difference: Difference },
): Explanation['values'] {
  const { operation, row, old } = made;
  const { relation, tracked } = subject;
  if (operation === 'truncate') return [];
  const isUpdate = operation === 'update';
  const shown = [...(isUpdate ? difference.shown.subarray(0, difference.shownCount) : tracked.stored)];
  const previous = entry.side('previous');
  const updated = entry.side('updated');
  return columnsIn(subject, row).map((column) => {
    const { name } = relation.columns[column]!;
    const place = shown.indexOf(column);
    const isHash = subject.plan.redactions[column]!.whole?.method === 'hash';
    const sideOf = (sent: Field, fields: readonly Field[] | null): Side => {
      if (place < 0 || fields === null) return { sent: undefined, stored: undefined };
      const stored = fields[place];
      // The key of hashes belongs to the trail and only capture reads it. The hash computed here would
      // differ.
      return { sent, stored: isHash && typeof stored === 'string' ? HASH : stored };
    };
    return explainValue(subject, column, {
      previous: sideOf(isUpdate ? old.get(name) : row.get(name), previous),
      updated: sideOf(row.get(name), updated),
      isShown: place >= 0,
    });
  });
}
