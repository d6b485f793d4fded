import type { RowBytes } from '../trail/read/row-bytes.js';
import type { ByteWriter } from './byte-writer.js';

const SLASH = 0x2f;

/** Writes the commit LSN of a row as PostgreSQL prints it. */
export function writeLsn(rows: RowBytes, out: ByteWriter): void {
  out.hexadecimal(rows.lsnHigh);
  out.byte(SLASH);
  out.hexadecimal(rows.lsnLow);
}
