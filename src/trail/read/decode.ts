import { bytesText, keyText } from '../../pg/text.js';
import { OF_BASELINE, OPERATION, RUNG } from '../../pipeline/ports.js';
import type { EntryOperation } from '../../tracking/rules.js';
import { mayBeTooLong, printable } from './answer-size.js';
import type { ReaderDictionaries, StoredColumn, StoredModifier, StoredRelation } from './dictionaries.js';
import {
  MOVED_ACTIONS,
  type Entry,
  type LargeValue,
  type Moved,
  type Scope,
  type Value,
  type Values,
} from './entry.js';
import { readContexts, type Contexts } from './contexts.js';
import { readExtra, type Extra } from './extra.js';
import { isAnswerable } from './json-text.js';
import { findLabels, type LabelWanted } from './labels.js';
import { RUNGS } from './rungs.js';
import type { EntryRow } from './entry-row.js';
import type { Query } from './plans.js';
import { hasPartWords, partedAs, PartedValue, partsOf } from './value-parts.js';
import { decodeColumns, decodeFields, type StoredValue } from '../values.js';

export const OPERATIONS: Readonly<Record<EntryRow['operation'], EntryOperation>> = {
  [OPERATION.insert]: 'insert',
  [OPERATION.update]: 'update',
  [OPERATION.delete]: 'delete',
  [OPERATION.truncate]: 'truncate',
  [OPERATION.baseline]: 'baseline',
};

// OIDs of pg_type, which never change for built-in types: bool; int2, int4, int8, oid, float4, float8,
// numeric; json, jsonb.
const BOOLEAN = 16;
export const TIMESTAMPTZ = 1184;
const NUMBERS: ReadonlySet<number> = new Set([21, 23, 20, 26, 700, 701, 1700]);
const JSONS: ReadonlySet<number> = new Set([114, 3802]);
/** A number of RFC 8259. NaN, Infinity and masked values are not numbers in JSON. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Decodes rows to entries, in the same order. If a column has labels that are names in `trail.lookup`, one
 * statement reads them for all rows, as of each entry. In a `scope`, an entry that moved is decoded from the
 * tenant's side, and contains nothing of the other side.
 */
export async function decodeRows(
  rows: readonly EntryRow[],
  options: { readonly query: Query; readonly dictionaries: ReaderDictionaries; readonly scope: Scope },
): Promise<Entry[]> {
  const { query, dictionaries, scope } = options;
  const extras = rows.map(({ extra }) => readExtra(extra));
  const batch: Batch = {
    dictionaries,
    scope,
    modifiers: await dictionaries.modifiers(
      query,
      rows.map(({ modifier_id }) => modifier_id),
    ),
    tenants: await dictionaries.tenants(
      query,
      rows.flatMap(({ tenant_id, previous_tenant_id }) => [tenant_id, previous_tenant_id ?? 0]),
    ),
    labels: [],
    contexts: await readContexts(query, new Set(extras.flatMap(({ contextId }) => contextId ?? []))),
    columns: new Map(),
  };
  const entries = rows.map((row, index) => decodeRow(row, extras[index]!, batch));
  await findLabels(query, { wanted: batch.labels, scope });
  return entries.map((entry, index) => (mayBeTooLong(rows[index]!) ? printable(entry) : entry));
}

/** Context for decoding a batch of rows. */
export interface Batch {
  readonly dictionaries: ReaderDictionaries;
  readonly scope: Scope;
  /** Modifiers of the rows, by id. */
  readonly modifiers: ReadonlyMap<number, StoredModifier>;
  readonly tenants: ReadonlyMap<number, string>;
  /** Values that still need their label. */
  readonly labels: LabelWanted[];
  readonly contexts: Contexts;
  /** Column indexes by relation and text of `columns`. Few different ones occur in a batch. */
  readonly columns: Map<string, readonly number[]>;
}

/** Decodes one row. The caller must find the labels that are names in `trail.lookup`. */
export function decodeRow(row: EntryRow, extra: Extra, batch: Batch): Entry {
  const { dictionaries } = batch;
  const relation = dictionaries.relations.get(row.relation_id) ?? UNKNOWN_RELATION;
  const columns = columnsOf(row, { relation, batch });
  const { contextId } = extra;
  const context = contextId === null ? extra.context : (batch.contexts.get(contextId) ?? null);
  const moved = movedOf(row, batch);
  const unknown = new Set<string>();
  const tooLarge: LargeValue[] = [];
  const side = (name: 'previous' | 'updated'): Values | null => {
    const stored = row[name];
    return stored === null
      ? null
      : decodeValues(stored, {
          id: row.id,
          columns,
          relation,
          unknown,
          tooLarge: (large) => tooLarge.push({ side: name, ...large }),
          labels: batch.labels,
        });
  };
  return {
    id: row.id,
    committedAt: row.committed_at,
    modifier: modifierOf(row, batch),
    action:
      moved === null || moved.side === 'both'
        ? actionName(dictionaries, row.action_id)
        : MOVED_ACTIONS[moved.side],
    actionName: moved === null || moved.side === 'both' ? dictionaries.actionText(row.action_id) : null,
    entity: entityOf(row, { dictionaries, moved }),
    tenant: moved?.side === 'left' ? batch.scope : (batch.tenants.get(row.tenant_id) ?? null),
    moved,
    previous: moved?.side === 'arrived' ? null : side('previous'),
    updated: moved?.side === 'left' ? null : side('updated'),
    unknown: [...unknown],
    tooLarge,
    table: relation.table,
    operation: OPERATIONS[row.operation],
    transaction: {
      xid: row.xid,
      commitLsn: row.commit_lsn,
      seq: row.seq,
      origin: extra.origin,
      claimedCommitAt: extra.claimedCommitAt,
    },
    // The application's context belongs to the values after the change.
    context: moved?.side === 'left' ? null : context,
    session: moved?.side === 'left' ? null : extra.session,
    unreadMessage: extra.unreadMessage,
    lastSetBy: extra.lastSetBy,
    conflict: extra.conflict,
    laterKey: extra.laterKey,
  };
}

export const actionName = ({ actions }: ReaderDictionaries, id: number): string =>
  actions.name(id) ?? `action ${id}`;

export const entityTypeName = ({ entityTypes }: ReaderDictionaries, id: number): string =>
  entityTypes.name(id) ?? `entity type ${id}`;

function movedOf({ previous_tenant_id: before }: EntryRow, { tenants, scope }: Batch): Moved | null {
  if (before === null) return null;
  const previousTenant = tenants.get(before) ?? null;
  if (scope === null) return { side: 'both', previousTenant };
  return { side: previousTenant === scope ? 'left' : 'arrived' };
}

/** Returns the entity on the side that is shown. */
function entityOf(
  row: EntryRow,
  { dictionaries, moved }: { readonly dictionaries: ReaderDictionaries; readonly moved: Moved | null },
): Entry['entity'] {
  const { entity_name: name, entity_id: id, previous_entity_id: previousId } = row;
  const type = entityTypeName(dictionaries, row.entity_type_id);
  if (moved?.side === 'left')
    return { type, name: row.previous_entity_name, id: previousId, previousId: null };
  return { type, name, id, previousId: moved?.side === 'arrived' || previousId === id ? null : previousId };
}

/**
 * Returns the modifier of an entry. Waltrail's own entries have the modifier id of unattributed ones, but
 * they are not unattributed. Baseline entries have no modifier, because their rows existed already.
 */
export function modifierOf(
  { modifier_id, rung }: Pick<EntryRow, 'modifier_id' | 'rung'>,
  { modifiers }: Pick<Batch, 'modifiers'>,
): Entry['modifier'] {
  if (rung === RUNG.own) return { key: null, name: 'Waltrail', kind: null, rung: RUNGS[rung] };
  if (rung === RUNG.baseline) return { key: null, name: OF_BASELINE.name, kind: null, rung: RUNGS[rung] };
  const modifier = modifiers.get(modifier_id);
  const actingAs = modifier?.actingAs ?? null;
  const found = {
    key: modifier?.key ?? null,
    name: modifier?.name ?? `modifier ${modifier_id}`,
    kind: modifier?.kind ?? null,
    rung: RUNGS[rung],
  };
  return actingAs === null ? found : Object.assign(found, { actingAs });
}

function columnsOf(
  row: EntryRow,
  options: { readonly relation: StoredRelation; readonly batch: Batch },
): readonly number[] {
  const name = row.columns === null ? `${row.relation_id}` : `${row.relation_id} ${row.columns}`;
  const held = options.batch.columns.get(name);
  if (held !== undefined) return held;
  const columns = decodeColumns(row.columns, options.relation.columns.length);
  options.batch.columns.set(name, columns);
  return columns;
}

/**
 * Returns a column of a table version. Only in a damaged trail can an entry refer to a column that does not
 * exist.
 */
export const columnAt = ({ columns }: StoredRelation, index: number): StoredColumn =>
  columns[index] ?? { name: `column ${index + 1}`, type: 0 };

/**
 * Stands for a missing table version. Dictionary rows are stored before the entries that refer to them, so
 * only a damaged trail shows it.
 */
export const UNKNOWN_RELATION: StoredRelation = { table: 'unknown', columns: [] };

function decodeValues(
  stored: string,
  options: {
    readonly id: string;
    readonly columns: readonly number[];
    readonly relation: StoredRelation;
    readonly unknown: Set<string>;
    readonly tooLarge: (large: Omit<LargeValue, 'side'>) => void;
    readonly labels: LabelWanted[];
  },
): Values {
  const values = new Map<string, Value>();
  decodeFields(stored).forEach((field, index) => {
    const ofColumn = options.columns[index] ?? index;
    const column = columnAt(options.relation, ofColumn);
    if (field.is === 'unknown' || field.is === 'large') {
      options.unknown.add(column.name);
      if (field.is === 'large')
        options.tooLarge({ column: column.name, bytes: field.bytes, sha256: field.sha256 });
      return;
    }
    const value = decodeValue(field, column);
    values.set(column.name, value);
    if (value instanceof PartedValue) {
      for (const part of value.parts)
        if (part.lookup !== null)
          options.labels.push({
            ...part.lookup,
            id: BigInt(options.id),
            found: (word) => void (part.word = word),
          });
    } else if (
      column.label !== undefined &&
      partedAs(column) !== 'list' &&
      (field.is === 'text' || field.is === 'bytes')
    ) {
      const { name } = column;
      const bytes = Buffer.from(field.text, field.is === 'text' ? 'utf8' : 'hex');
      options.labels.push({
        table: column.label,
        key: keyText(bytes, 0, bytes.length),
        id: BigInt(options.id),
        found: (label) => values.set(name, labelled(values.get(name)!, label)),
      });
    }
  });
  return values;
}

/** Returns a known field as a value of its column, with the label that the column itself defines for it. */
export function decodeValue(
  field: Exclude<StoredValue, { is: 'unknown' | 'large' }>,
  column: StoredColumn,
): Value {
  if (field.is === 'null') return { kind: 'null', text: '' };
  if (field.is === 'bytes') return { kind: 'text', text: bytesText(field.text) };
  const typed = typedValue(field.text, column.type);
  const value = partedAs(column) === 'list' ? asList(typed) : typed;
  const label = wordOf(field.text, value.text, column.values);
  const whole = label === undefined ? value : labelled(value, label);
  const parts = hasPartWords(column) ? partsOf(column, field.text) : null;
  return parts === null ? whole : new PartedValue(whole, column, parts);
}

/** Returns the word for a value. The YAML may write a boolean as `true` or `false`. */
function wordOf(stored: string, shown: string, words: StoredColumn['values']): string | undefined {
  if (words === undefined) return undefined;
  return Object.hasOwn(words, stored)
    ? words[stored]
    : Object.hasOwn(words, shown)
      ? words[shown]
      : undefined;
}

/**
 * Returns the value with its label. It is built member by member, because a page has hundreds of values.
 * Garbage from copies by `...` with an added member would live until the next full garbage collection
 * (DECISIONS 103).
 */
export const labelled = ({ kind, text, isInstant, isList }: Value, label: string): Value =>
  isInstant !== undefined
    ? { kind, text, label, isInstant }
    : isList === undefined
      ? { kind, text, label }
      : { kind, text, label, isList };

const asList = ({ kind, text }: Value): Value => ({ kind, text, isList: true });

/** Returns the kind of values of a type that were not masked or truncated. */
export function kindOfType(type: number): Exclude<Value['kind'], 'null'> {
  if (type === BOOLEAN) return 'boolean';
  if (NUMBERS.has(type)) return 'number';
  return JSONS.has(type) ? 'json' : 'text';
}

/**
 * Returns a text as a value of its column's type. A masked or truncated value of any type may be any text, so
 * text that is not valid for JSON stays text.
 */
function typedValue(text: string, type: number): Value {
  if (type === BOOLEAN && (text === 't' || text === 'f')) {
    return { kind: 'boolean', text: text === 't' ? 'true' : 'false' };
  }
  if (type === TIMESTAMPTZ) return { kind: 'text', text, isInstant: true };
  if (NUMBERS.has(type) && JSON_NUMBER.test(text)) return { kind: 'number', text };
  if (JSONS.has(type) && isAnswerable(text)) return { kind: 'json', text };
  return { kind: 'text', text };
}
