import type { TableName } from '../tracking/names.js';

/**
 * What an event trigger on the source reports: what was done to a table, and by whom
 * (sql/source/event-trigger.sql). Any login that may emit logical messages can send the same, so a report is
 * a claim.
 */
export interface CommandReport {
  readonly what: ReportedDeed;
  /** Oid of the table. For a partition, the oid of the partitioned table. */
  readonly relation: number;
  readonly table: TableName;
  /** PostgreSQL's name of the command, such as `ALTER TABLE`. */
  readonly command: string;
  /** Names of the first dropped columns. `more` counts the others. */
  readonly columns: readonly string[];
  readonly more: number;
  /** The login. `role` is the role that it had set; null: none. */
  readonly session: string;
  readonly role: string | null;
}

/** What was done to a table. `rewritten`: rows got other values, and none of these was sent. */
export type ReportedDeed = 'rewritten' | 'run' | 'columns dropped' | 'table dropped';

const DEEDS: readonly ReportedDeed[] = ['rewritten', 'run', 'columns dropped', 'table dropped'];
/** Longest report. It has room for 20 names of 63 bytes, with every byte escaped as JSON. */
const MAX_BYTES = 16 * 1024;
const MAX_COLUMNS = 20;
/**
 * Longest name that is accepted. PostgreSQL's limit is lower, but a server may be built with a higher one.
 */
const MAX_NAME = 256;
const COMMAND = /^[A-Z][A-Z ]{0,62}$/;
const MAX_OID = 0xffff_ffff;

/** Reads the content of a report. Returns null if it is not a report. Never throws. */
export function readCommandReport(content: Buffer): CommandReport | null {
  if (content.length > MAX_BYTES) return null;
  const read = parsed(content);
  if (read === null) return null;
  const { what, relation, schema, table, command, columns = [], more = 0, session, role = null } = read;
  const deed = DEEDS.find((one) => one === what);
  if (deed === undefined || !isCount(relation, MAX_OID) || !isCount(more, MAX_OID)) return null;
  if (!isName(schema) || !isName(table) || !isName(session)) return null;
  if (role !== null && !isName(role)) return null;
  if (typeof command !== 'string' || !COMMAND.test(command)) return null;
  if (!Array.isArray(columns) || columns.length > MAX_COLUMNS || !columns.every(isName)) return null;
  return { what: deed, relation, table: { schema, table }, command, columns, more, session, role };
}

function parsed(content: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const isCount = (value: unknown, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;

/** Whether a value is a name. Control characters are refused, because the name becomes part of a sentence. */
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_NAME && !/\p{Cc}/u.test(value);

/** Returns the sentence that an entry shows: what was done, and by whom according to the report. */
export function reportText({ what, command, columns, more, session, role }: CommandReport): string {
  const by = `by ${session}${role === null || role === session ? '' : ` as ${role}`}`;
  switch (what) {
    case 'rewritten':
      return `rows rewritten by ${command}, run ${by}: their new values were not sent`;
    case 'run':
    case 'table dropped':
      return `${command}, run ${by}`;
    case 'columns dropped': {
      const names = [...columns, ...(more > 0 ? [`${more} more`] : [])].join(', ');
      return `${command}, run ${by}: dropped ${names}`;
    }
  }
}
