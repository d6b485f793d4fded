import { changeText } from '../change-text.js';
import { compactJson } from '../pg/compact-json.js';
import type { Entry, Value } from '../trail/read/entry.js';
import { changesOf, type ValueChange } from '../trail/read/value-changes.js';
import type { ZoneClock } from './dates.js';

/**
 * Kind of the column's cells. `date` and `count` are typed in Excel, `lines` wraps, `offset` is the offset of
 * the zone at the date.
 */
export type ColumnKind = 'text' | 'lines' | 'date' | 'offset' | 'count';

export interface ReportColumn {
  readonly header: string;
  readonly kind: ColumnKind;
  /** Width in Excel, in characters. */
  readonly width: number;
  /**
   * Returns the text of the cell; for a date and an offset, the instant in UTC. An empty text is an empty
   * cell. Times in values are shown on the clock.
   */
  readonly text: (entry: Entry, clock: ZoneClock) => string;
  /** Returns the lines of that text, each complete in itself. */
  readonly lines?: (entry: Entry, clock: ZoneClock) => readonly string[];
}

/**
 * The columns of the report, in order. The first seven are for administrators, the others prove where these
 * come from. Files in the hands of auditors depend on the headers: append columns, never rename or reorder
 * them.
 */
export const REPORT_COLUMNS: readonly ReportColumn[] = [
  { header: 'Modified by', kind: 'text', width: 24, text: (entry) => entry.modifier.name },
  { header: 'Action category', kind: 'text', width: 17, text: (entry) => entry.actionName ?? entry.action },
  { header: 'Modified entity type', kind: 'text', width: 20, text: (entry) => entry.entity.type },
  { header: 'Modified entity name', kind: 'text', width: 30, text: (entry) => entry.entity.name ?? '' },
  {
    header: 'Previous value',
    kind: 'lines',
    width: 48,
    text: (entry, clock) => valueLines(entry, { side: 'previous', clock }).join('\n'),
    lines: (entry, clock) => valueLines(entry, { side: 'previous', clock }),
  },
  {
    header: 'Updated value',
    kind: 'lines',
    width: 48,
    text: (entry, clock) => valueLines(entry, { side: 'updated', clock }).join('\n'),
    lines: (entry, clock) => valueLines(entry, { side: 'updated', clock }),
  },
  { header: 'Date of modification', kind: 'date', width: 24, text: (entry) => entry.committedAt },
  { header: 'Entity id', kind: 'text', width: 18, text: (entry) => entry.entity.id ?? '' },
  { header: 'Modifier kind', kind: 'text', width: 14, text: (entry) => entry.modifier.kind ?? '' },
  { header: 'Attribution', kind: 'text', width: 12, text: (entry) => entry.modifier.rung },
  { header: 'Tenant', kind: 'text', width: 12, text: (entry) => entry.tenant ?? '' },
  { header: 'Table', kind: 'text', width: 24, text: (entry) => entry.table },
  { header: 'Commit LSN', kind: 'text', width: 16, text: (entry) => entry.transaction.commitLsn },
  { header: 'Transaction', kind: 'text', width: 13, text: (entry) => entry.transaction.xid },
  { header: 'Seq', kind: 'count', width: 8, text: (entry) => String(entry.transaction.seq) },
  { header: 'Previous entity id', kind: 'text', width: 18, text: (entry) => entry.entity.previousId ?? '' },
  { header: 'Previous tenant', kind: 'text', width: 16, text: ({ moved }) => previousTenantText(moved) },
  { header: 'Note', kind: 'text', width: 40, text: noteText },
  { header: 'UTC offset', kind: 'offset', width: 11, text: (entry) => entry.committedAt },
  { header: 'Acting as', kind: 'text', width: 24, text: ({ modifier }) => actingAsText(modifier) },
  {
    header: 'Changes within values',
    kind: 'lines',
    width: 40,
    text: (entry) => changeLines(changesOf(entry)).join('\n'),
    lines: (entry) => changeLines(changesOf(entry)),
  },
];

/**
 * Returns in whose name the modifier acted. This is a separate column, because a person's name might
 * otherwise read as two people in one cell.
 */
export const actingAsText = ({ actingAs }: Entry['modifier']): string =>
  actingAs === undefined ? '' : person(actingAs);

/** Returns what differs within values, one line for each difference. Further lines of one are indented. */
export const changeLines = (changes: readonly ValueChange[]): readonly string[] =>
  changes.map((change) => `${columnText(change.column)}: ${changeText(change).replace(LINE_END, '$&  ')}`);

/**
 * Returns the previous tenant. Text that is not a tenant is in brackets, because a tenant may have such a
 * name.
 */
function previousTenantText(moved: Entry['moved']): string {
  if (moved === null || moved.side === 'left') return '';
  return moved.side === 'both' ? (moved.previousTenant ?? '(none)') : OTHER_TENANT;
}

/** Shown for the side of a moved row that a reader of one tenant does not see. */
const OTHER_TENANT = '(in another tenant)';

/** Returns evidence for another modifier than the entry has, and a note if the entity may be another. */
export function noteText({
  lastSetBy,
  conflict,
  unreadMessage,
  laterKey,
}: Pick<Entry, 'lastSetBy' | 'conflict' | 'unreadMessage' | 'laterKey'>): string {
  return [
    ...(conflict === null ? [] : [`${CONFLICT_TEXTS[conflict.rung]} names ${person(conflict)}`]),
    ...(lastSetBy === null ? [] : [`last set by ${person(lastSetBy)}`]),
    ...(unreadMessage === null ? [] : [unreadText(unreadMessage.reason)]),
    ...(laterKey ? ['the entity id comes from a later primary key'] : []),
  ].join('; ');
}

const unreadText = (reason: string): string =>
  `${reason.startsWith('acting_as') ? 'a message did not state whom the modifier acted as' : 'a message named nobody'}: ${reason}`;

const CONFLICT_TEXTS = {
  witness: 'an audit row of the application',
  column: 'the modifier column',
  session: 'the session',
} as const;

const person = ({ name, key }: { readonly name: string; readonly key: string }): string =>
  name === key ? key : `${name} (${key})`;

/**
 * Returns the values of one side, as lines `column: value`. There are none before an insert and after a
 * delete. Further lines of a value are indented, because a value could otherwise look like other columns.
 */
function valueLines(
  { unknown, tooLarge, ...entry }: Entry,
  { side, clock }: { readonly side: 'previous' | 'updated'; readonly clock: ZoneClock },
): string[] {
  const values = entry[side];
  if (values === null)
    return entry.moved?.side === (side === 'previous' ? 'arrived' : 'left') ? [OTHER_TENANT] : [];
  const lines: string[] = [];
  for (const [column, value] of values) lines.push(`${columnText(column)}: ${valueLine(value, clock)}`);
  for (const column of unknown) {
    if (values.has(column)) continue;
    const large = tooLarge.find((value) => value.side === side && value.column === column);
    lines.push(`${columnText(column)}: ${large === undefined ? NOT_SENT : largeText(large.bytes)}`);
  }
  return lines;
}

/** Shown for a value that the source did not send. */
export const NOT_SENT = '(not sent)';
/** Shown for a value that was too large to be stored. */
export const largeText = (bytes: number): string => `(too large: ${bytes} bytes)`;

/**
 * Matches a text of the source that reads like one of the words for no value, or like such a text in quotes.
 */
const LIKE_NOTHING = /^["\\]*\((?:null|empty text|not sent|too large: \d+ bytes)\)["\\]*$/;
/** Largest length of such a text. A longer one is not looked at. */
export const MOST_LIKE_NOTHING = 100;

/** Returns the text after the name of a column. Its further lines are indented. */
export const valueLine = (value: Value, clock: ZoneClock): string =>
  valueText(value, clock).replace(LINE_END, '$&  ');

const LINE_END = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/g;

/**
 * Returns the name of a column. It is quoted if it could be read as a line end, as a value or as a further
 * line.
 */
export const columnText = (name: string): string =>
  /^[^\s"][^\n\v\f\r\u0085\u2028\u2029]*$/.test(name) && !name.includes(': ') ? name : JSON.stringify(name);

/**
 * Returns the text of a value. Words distinguish SQL NULL from the empty text, and a text that reads like
 * them is quoted. JSON null stays `null`. A label, or an instant on the clock, is followed by the value as
 * PostgreSQL printed it, in brackets.
 */
function valueText(value: Value, clock: ZoneClock): string {
  const nothing =
    value.kind === 'null' ? 'null' : value.kind === 'text' && value.text === '' ? 'empty text' : undefined;
  if (nothing !== undefined)
    return value.label === undefined ? `(${nothing})` : `${value.label} (${nothing})`;
  const raw = value.kind === 'json' ? compactJson(value.text) : value.text;
  const shown = value.label ?? (value.isInstant === true ? clock.printed(value.text) : null);
  if (shown !== null) return `${shown} (${raw})`;
  return value.kind === 'text' && raw.length <= MOST_LIKE_NOTHING && LIKE_NOTHING.test(raw)
    ? JSON.stringify(raw)
    : raw;
}
