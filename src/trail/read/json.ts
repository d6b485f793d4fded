import type { Entry, Value, Values } from './entry.js';

/**
 * One entry as the API's JSON. Numbers and json columns appear with exactly PostgreSQL's text, which JSON.stringify
 * cannot do: it would turn 12345678901234567890 into 12345678901234567000.
 */
export function entryToJson(entry: Entry): string {
  const { modifier, entity, transaction } = entry;
  const labels = labelsJson(entry);
  const jsonNulls = jsonNullsJson(entry);
  return members([
    ['id', quote(entry.id)],
    ['committedAt', quote(entry.committedAt)],
    [
      'modifier',
      members([
        ['key', nullable(modifier.key)],
        ['name', quote(modifier.name)],
        ['kind', nullable(modifier.kind)],
        ['rung', quote(modifier.rung)],
      ]),
    ],
    ['action', quote(entry.action)],
    [
      'entity',
      members([
        ['type', quote(entity.type)],
        ['name', nullable(entity.name)],
        ['id', nullable(entity.id)],
      ]),
    ],
    ['tenant', nullable(entry.tenant)],
    ['previous', valuesJson(entry.previous)],
    ['updated', valuesJson(entry.updated)],
    ...(labels === null ? [] : [['labels', labels] as const]),
    ...(jsonNulls === null ? [] : [['jsonNulls', jsonNulls] as const]),
    ...(entry.unknown.length === 0 ? [] : [['unknown', JSON.stringify(entry.unknown)] as const]),
    ...(entry.tooLarge.length === 0 ? [] : [['tooLarge', JSON.stringify(entry.tooLarge)] as const]),
    ['table', quote(entry.table)],
    ['operation', quote(entry.operation)],
    [
      'transaction',
      members([
        ['xid', quote(transaction.xid)],
        ['commitLsn', quote(transaction.commitLsn)],
        ['seq', String(transaction.seq)],
        ...(transaction.origin === null ? [] : [['origin', quote(transaction.origin)] as const]),
        ...(transaction.claimedCommitAt === null
          ? []
          : [['claimedCommitAt', quote(transaction.claimedCommitAt)] as const]),
      ]),
    ],
    ['context', oneLine(entry.context ?? 'null')],
    ...(entry.unreadMessage === null
      ? []
      : [['unreadMessage', JSON.stringify(entry.unreadMessage)] as const]),
  ]);
}

/** One value as JSON text. */
export function valueToJson(value: Value): string {
  switch (value.kind) {
    case 'null':
      return 'null';
    case 'boolean':
    case 'number':
      return value.text;
    case 'json':
      return oneLine(value.text);
    case 'text':
      return quote(value.text);
  }
}

/** Line ends of JSON text stand between its tokens; an entry is one line of a file, and of a live stream. */
const oneLine = (json: string): string => json.replace(/[\r\n]/g, ' ');

const quote = (text: string): string => JSON.stringify(text);
const nullable = (text: string | null): string => (text === null ? 'null' : quote(text));

const members = (pairs: Iterable<readonly [name: string, json: string]>): string =>
  `{${Array.from(pairs, ([name, json]) => `${quote(name)}:${json}`).join(',')}}`;

function valuesJson(values: Values | null): string {
  if (values === null) return 'null';
  return members(Array.from(values, ([name, value]) => [name, valueToJson(value)] as const));
}

/** `{"previous": {column: word}, "updated": {…}}`, or null where no value has a word. */
function labelsJson(entry: Entry): string | null {
  const words = (values: Values | null): string =>
    members(
      Array.from(values ?? []).flatMap(([name, { label }]) =>
        label === undefined ? [] : [[name, quote(label)] as const],
      ),
    );
  const previous = words(entry.previous);
  const updated = words(entry.updated);
  return previous === '{}' && updated === '{}' ? null : `{"previous":${previous},"updated":${updated}}`;
}

/** Columns whose value is the JSON null, which `previous` and `updated` cannot tell from SQL null; or null: there are none. */
function jsonNullsJson(entry: Entry): string | null {
  const columns = (values: Values | null): string[] =>
    Array.from(values ?? []).flatMap(([name, { kind, text }]) =>
      kind === 'json' && text === 'null' ? [name] : [],
    );
  const previous = columns(entry.previous);
  const updated = columns(entry.updated);
  return previous.length + updated.length === 0 ? null : JSON.stringify({ previous, updated });
}
