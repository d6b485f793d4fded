import type { Answer } from '../../api/answers.js';
import type { Entry, Value, Values } from './entry.js';
import { changesOf, type ValueChange } from './value-changes.js';

/**
 * Prints an entry as the API's JSON. Numbers and json columns keep exactly PostgreSQL's text. JSON.stringify
 * would change 12345678901234567890 to 12345678901234567000.
 */
export function entryToJson(entry: Entry): string {
  const { modifier, entity, transaction } = entry;
  return object<Answer<'Entry'>>({
    id: quote(entry.id),
    committedAt: quote(entry.committedAt),
    modifier: object<Answer<'Entry'>['modifier']>({
      key: nullable(modifier.key),
      name: quote(modifier.name),
      kind: nullable(modifier.kind),
      rung: quote(modifier.rung),
      actingAs: modifier.actingAs === undefined ? undefined : JSON.stringify(modifier.actingAs),
    }),
    action: quote(entry.action),
    actionName: entry.actionName === null ? undefined : quote(entry.actionName),
    entity: object<Answer<'Entry'>['entity']>({
      type: quote(entity.type),
      name: nullable(entity.name),
      id: nullable(entity.id),
      previousId: entity.previousId === null ? undefined : quote(entity.previousId),
    }),
    tenant: nullable(entry.tenant),
    moved: entry.moved === null ? undefined : JSON.stringify(entry.moved),
    previous: valuesJson(entry.previous),
    updated: valuesJson(entry.updated),
    labels: labelsJson(entry),
    changes: changesJson(changesOf(entry)),
    jsonNulls: jsonNullsJson(entry),
    instants: instantsJson(entry),
    unknown: entry.unknown.length === 0 ? undefined : JSON.stringify(entry.unknown),
    tooLarge: entry.tooLarge.length === 0 ? undefined : JSON.stringify(entry.tooLarge),
    table: quote(entry.table),
    operation: quote(entry.operation),
    transaction: object<Answer<'Entry'>['transaction']>({
      xid: quote(transaction.xid),
      commitLsn: quote(transaction.commitLsn),
      seq: String(transaction.seq),
      origin: transaction.origin === null ? undefined : quote(transaction.origin),
      claimedCommitAt: transaction.claimedCommitAt === null ? undefined : quote(transaction.claimedCommitAt),
    }),
    context: oneLine(entry.context ?? 'null'),
    session: entry.session === null ? undefined : JSON.stringify(entry.session),
    unreadMessage: entry.unreadMessage === null ? undefined : JSON.stringify(entry.unreadMessage),
    lastSetBy: entry.lastSetBy === null ? undefined : JSON.stringify(entry.lastSetBy),
    conflict: entry.conflict === null ? undefined : JSON.stringify(entry.conflict),
    laterKey: entry.laterKey ? 'true' : undefined,
  });
}

/** Prints a value as JSON text. */
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

/**
 * Returns JSON text on one line, because an entry is one line of a file or a live stream. Line ends in JSON
 * occur only between tokens, so blanks can replace them.
 */
export const oneLine = (json: string): string => json.replace(/[\r\n]/g, ' ');

const quote = (text: string): string => JSON.stringify(text);
const nullable = (text: string | null): string => (text === null ? 'null' : quote(text));

/** JSON texts of the members of an answer. An optional member may be undefined, and is then left out. */
type MemberTexts<T> = {
  readonly [Name in keyof Required<T>]: Partial<T> extends Pick<T, Name> ? string | undefined : string;
};

/**
 * Prints an answer. Uses a loop rather than `filter` and `map` (measured: 10.8 µs an entry instead of 15.5
 * µs).
 */
function object<T>(texts: MemberTexts<T>): string {
  let printed = '';
  for (const [name, text] of Object.entries<string | undefined>(texts))
    if (text !== undefined) printed += `${printed === '' ? '' : ','}"${name}":${text}`;
  return `{${printed}}`;
}

const members = (pairs: Iterable<readonly [name: string, json: string]>): string =>
  `{${Array.from(pairs, ([name, json]) => `${quote(name)}:${json}`).join(',')}}`;

function valuesJson(values: Values | null): string {
  if (values === null) return 'null';
  return members(Array.from(values, ([name, value]) => [name, valueToJson(value)] as const));
}

/** Prints `{"previous": {column: label}, "updated": {…}}`, or returns undefined if no value has a label. */
function labelsJson(entry: Entry): string | undefined {
  const words = (values: Values | null): string =>
    members(
      Array.from(values ?? []).flatMap(([name, { label }]) =>
        label === undefined ? [] : [[name, quote(label)] as const],
      ),
    );
  const previous = words(entry.previous);
  const updated = words(entry.updated);
  return previous === '{}' && updated === '{}' ? undefined : `{"previous":${previous},"updated":${updated}}`;
}

/** Prints the differences within values. Returns undefined if there are none. */
export const changesJson = (changes: readonly ValueChange[]): string | undefined =>
  changes.length === 0 ? undefined : JSON.stringify(changes);

/** Prints the columns with instants as values. Returns undefined if there are none. */
function instantsJson(entry: Entry): string | undefined {
  const columns = new Set(
    [entry.previous, entry.updated].flatMap((values) =>
      Array.from(values ?? []).flatMap(([name, { isInstant }]) => (isInstant === true ? [name] : [])),
    ),
  );
  return columns.size === 0 ? undefined : JSON.stringify([...columns]);
}

/**
 * Prints the columns that contain the JSON value null. In `previous` and `updated` it looks like SQL null.
 * Returns undefined if there are none.
 */
function jsonNullsJson(entry: Entry): string | undefined {
  const columns = (values: Values | null): string[] =>
    Array.from(values ?? []).flatMap(([name, { kind, text }]) =>
      kind === 'json' && text === 'null' ? [name] : [],
    );
  const previous = columns(entry.previous);
  const updated = columns(entry.updated);
  return previous.length + updated.length === 0 ? undefined : JSON.stringify({ previous, updated });
}
