/**
 * The letters of pgoutput messages, as character codes.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */

// The first byte of a message: its kind.
export const TAG_BEGIN = 0x42; // 'B'
export const TAG_COMMIT = 0x43; // 'C'
export const TAG_ORIGIN = 0x4f; // 'O'
export const TAG_RELATION = 0x52; // 'R'
export const TAG_TYPE = 0x59; // 'Y'
export const TAG_INSERT = 0x49; // 'I'
export const TAG_UPDATE = 0x55; // 'U'
export const TAG_DELETE = 0x44; // 'D'
export const TAG_TRUNCATE = 0x54; // 'T'
export const TAG_LOGICAL_MESSAGE = 0x4d; // 'M'

// Kinds of messages since protocol 2.
export const TAG_STREAM_START = 0x53; // 'S'
export const TAG_STREAM_STOP = 0x45; // 'E'
export const TAG_STREAM_COMMIT = 0x63; // 'c'
export const TAG_STREAM_ABORT = 0x41; // 'A'

// Kinds of messages since protocol 3.
export const TAG_BEGIN_PREPARE = 0x62; // 'b'
export const TAG_PREPARE = 0x50; // 'P'
export const TAG_STREAM_PREPARE = 0x70; // 'p'
export const TAG_COMMIT_PREPARED = 0x4b; // 'K'
export const TAG_ROLLBACK_PREPARED = 0x72; // 'r'

// Before a row of a change: the kind of row.
export const NEW_ROW = 0x4e; // 'N'
export const OLD_ROW = 0x4f; // 'O'
/** The key columns of the old row. */
export const OLD_KEY = 0x4b; // 'K'

// Before a value of a row: the kind of value.
export const VALUE_NULL = 0x6e; // 'n'
export const VALUE_UNCHANGED = 0x75; // 'u'
export const VALUE_TEXT = 0x74; // 't'
/**
 * A binary value. PostgreSQL sends none unless it is asked to. source/recode.ts uses this kind to mark values
 * that are invalid text.
 */
export const VALUE_BINARY = 0x62; // 'b'
