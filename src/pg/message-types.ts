/**
 * The first bytes of messages between client and server, as character codes.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export const COPY_DATA = 0x64; // 'd'
export const COPY_DONE = 0x63; // 'c'
export const COPY_BOTH_RESPONSE = 0x57; // 'W'
export const ERROR_RESPONSE = 0x45; // 'E'
export const NOTICE_RESPONSE = 0x4e; // 'N'
