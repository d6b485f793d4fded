import type pg from 'pg';
import type { Entry, Rung, Value, Values } from './entry.js';
import type { EntryRow } from './page.js';
import { decodeColumns, decodeFields, type StoredValue } from './values.js';
import type { ColumnWords, RelationWords, TrailWords } from './words.js';

const OPERATIONS = { i: 'insert', u: 'update', d: 'delete', t: 'truncate' } as const;
const RUNGS: Readonly<Record<EntryRow['rung'], Rung>> = {
  m: 'message',
  c: 'column',
  s: 'session',
  '-': 'system',
};

// OIDs of pg_type, which never change for built-in types: bool; int2, int4, int8, oid, float4, float8, numeric; json, jsonb.
const BOOLEAN = 16;
const NUMBERS: ReadonlySet<number> = new Set([21, 23, 20, 26, 700, 701, 1700]);
const JSONS: ReadonlySet<number> = new Set([114, 3802]);
/** RFC 8259; NaN, Infinity and masked values are not numbers in JSON. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Rows as entries, in the same order. Reads the words of labels as of each entry from trail.lookup, in one statement
 * for all rows and only where a column has such words.
 */
export async function decodeRows(
  rows: readonly EntryRow[],
  options: { readonly client: pg.ClientBase; readonly words: TrailWords },
): Promise<Entry[]> {
  const decoded = rows.map((row) => decodeRow(row, options.words));
  await addLabels(decoded, options.client);
  return decoded.map(({ entry }) => entry);
}

interface Decoded {
  readonly entry: Entry;
  /** Values whose word has to be looked up. */
  readonly labels: readonly LabelWanted[];
}

interface LabelWanted {
  readonly table: string;
  readonly values: Map<string, Value>;
  readonly column: string;
  readonly text: string;
}

function decodeRow(row: EntryRow, words: TrailWords): Decoded {
  const relation = words.relations.get(row.relation_id) ?? UNKNOWN_RELATION;
  const modifier = words.modifiers.get(row.modifier_id);
  const columns = decodeColumns(row.columns, relation.columns.length);
  const unknown = new Set<string>();
  const labels: LabelWanted[] = [];
  const side = (stored: string | null): Values | null =>
    stored === null ? null : decodeValues(stored, { columns, relation, unknown, labels });
  const previous = side(row.previous);
  const updated = side(row.updated);
  return {
    labels,
    entry: {
      id: row.id,
      committedAt: row.committed_at,
      modifier: {
        key: modifier?.key ?? null,
        name: modifier?.name ?? `modifier ${row.modifier_id}`,
        kind: modifier?.kind ?? 'system',
        rung: RUNGS[row.rung],
      },
      action: words.actions.name(row.action_id) ?? `action ${row.action_id}`,
      entity: {
        type: words.entityTypes.name(row.entity_type_id) ?? `entity type ${row.entity_type_id}`,
        name: row.entity_name,
        id: row.entity_id,
      },
      tenant: words.tenants.name(row.tenant_id) ?? null,
      previous,
      updated,
      unknown: [...unknown],
      table: relation.table,
      operation: OPERATIONS[row.operation],
      transaction: { xid: row.xid, commitLsn: row.commit_lsn, seq: row.seq },
      context: row.context,
    },
  };
}

/** The dictionaries are stored before the entries that refer to them: only a damaged trail shows this. */
const UNKNOWN_RELATION: RelationWords = { table: 'unknown', columns: [] };

function decodeValues(
  stored: string,
  options: {
    readonly columns: readonly number[];
    readonly relation: RelationWords;
    readonly unknown: Set<string>;
    readonly labels: LabelWanted[];
  },
): Values {
  const values = new Map<string, Value>();
  decodeFields(stored).forEach((field, index) => {
    const place = options.columns[index] ?? index;
    const column = options.relation.columns[place] ?? { name: `column ${place + 1}`, type: 0 };
    if (field.is === 'unknown') {
      options.unknown.add(column.name);
      return;
    }
    values.set(column.name, decodeValue(field, column));
    if (column.label !== undefined && field.is === 'text') {
      options.labels.push({ table: column.label, values, column: column.name, text: field.text });
    }
  });
  return values;
}

function decodeValue(field: Exclude<StoredValue, { is: 'unknown' }>, column: ColumnWords): Value {
  if (field.is === 'null') return { kind: 'null', text: '' };
  if (field.is === 'bytes') return { kind: 'text', text: `\\x${field.text}` };
  const value = typedValue(field.text, column.type);
  const words = column.values;
  if (words === undefined) return value;
  const label = Object.hasOwn(words, field.text)
    ? words[field.text]
    : Object.hasOwn(words, value.text)
      ? words[value.text]
      : undefined;
  return label === undefined ? value : { ...value, label };
}

/** A masked or truncated value has the column's type and yet may be any text: what is no JSON stays text. */
function typedValue(text: string, type: number): Value {
  if (type === BOOLEAN && (text === 't' || text === 'f')) {
    return { kind: 'boolean', text: text === 't' ? 'true' : 'false' };
  }
  if (NUMBERS.has(type) && JSON_NUMBER.test(text)) return { kind: 'number', text };
  if (JSONS.has(type) && isJson(text)) return { kind: 'json', text };
  return { kind: 'text', text };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function addLabels(decoded: readonly Decoded[], client: pg.ClientBase): Promise<void> {
  const wanted = decoded.flatMap(({ entry, labels }) => labels.map((label) => ({ ...label, id: entry.id })));
  if (wanted.length === 0) return;
  const { rows } = await client.query<{ place: string; name: string }>(
    /* sql */ `
    select w.place, l.name
      from unnest($1::text[], $2::text[], $3::int8[]) with ordinality as w (table_name, key, id, place)
     cross join lateral (
       select name from trail.lookup l
        where l.table_name = w.table_name and l.key = w.key and l.from_id <= w.id
        order by l.from_id desc limit 1
     ) l
     where l.name is not null`,
    [wanted.map(({ table }) => table), wanted.map(({ text }) => text), wanted.map(({ id }) => id)],
  );
  for (const { place, name } of rows) {
    const { values, column } = wanted[Number(place) - 1]!;
    values.set(column, { ...values.get(column)!, label: name });
  }
}
