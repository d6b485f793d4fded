/**
 * A log sequence number: a 64-bit byte position in the WAL. A bigint in memory, and `16/B374D848` as text.
 * https://www.postgresql.org/docs/current/datatype-pg-lsn.html
 */
export type Lsn = bigint;

export const LSN_ZERO: Lsn = 0n;

/** Parses `hex/hex`, with at most 8 digits each. Throws RangeError for any other text. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) throw new RangeError(`not an LSN: ${text}`);
  return (BigInt(`0x${match[1]!}`) << 32n) | BigInt(`0x${match[2]!}`);
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

export const lower = (a: Lsn, b: Lsn): Lsn => (a < b ? a : b);
export const higher = (a: Lsn, b: Lsn): Lsn => (a > b ? a : b);
