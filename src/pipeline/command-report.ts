import type { TableName } from '../tracking/names.js';

/**
 * What an event trigger on the source says was done to a table, and by whom (sql/source/event-trigger.sql).
 * Any login that may emit logical messages can say the same, so it is a claim.
 */
export interface CommandReport {
  readonly what: ReportedDeed;
  /** Oid of the table, or of the one that it is a partition of. */
  readonly relation: number;
  readonly table: TableName;
  /** As PostgreSQL names the command: `ALTER TABLE`. */
  readonly command: string;
  /** Names of the first columns that were dropped, and how many more. */
  readonly columns: readonly string[];
  readonly more: number;
  /** Login, and the role that it had set; null: none. */
  readonly session: string;
  readonly role: string | null;
}

/** `rewritten`: rows were given other values, and none was sent. */
export type ReportedDeed = 'rewritten' | 'run' | 'columns dropped' | 'table dropped';

const DEEDS: readonly ReportedDeed[] = ['rewritten', 'run', 'columns dropped', 'table dropped'];
/** With room for 20 names of 63 bytes, each of which JSON escapes. */
const MAX_BYTES = 16 * 1024;
const MAX_COLUMNS = 20;
/** Longest name of PostgreSQL, with room for a server that was built with longer ones. */
const MAX_NAME = 256;
const COMMAND = /^[A-Z][A-Z ]{0,62}$/;
const MAX_OID = 0xffff_ffff;

/** Reads the content of a report; null where it is none. Never throws. */
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

/** A name is part of a sentence: no character of control, which would make two of it. */
const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_NAME && !/\p{Cc}/u.test(value);

/** The sentence that an entry shows: what was done, and who says to have done it. */
export function reportText({ what, command, columns, more, session, role }: CommandReport): string {
  const by = `by ${session}${role === null || role === session ? '' : ` as ${role}`}`;
  switch (what) {
    case 'rewritten':
      return `rows rewritten by ${command}, run ${by}: what they hold since was not sent`;
    case 'run':
    case 'table dropped':
      return `${command}, run ${by}`;
    case 'columns dropped': {
      const names = [...columns, ...(more > 0 ? [`${more} more`] : [])].join(', ');
      return `${command}, run ${by}: dropped ${names}`;
    }
  }
}
