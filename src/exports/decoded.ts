import { WaltrailError } from '../errors.js';
import type { Entry } from '../trail/read/entry.js';
import type { RowBatch } from '../trail/read/row-batch.js';
import { ROW_TEXT } from '../trail/read/row-bytes.js';

/**
 * Largest number of stored bytes that may become strings together. More would need most of the thread's
 * memory. If a native function cannot allocate memory, V8 ends the process and not only the thread.
 */
const MOST_DECODED_BYTES = 32 * 1024 * 1024;

/** Throws EXPORT_OUT_OF_MEMORY if this number of stored bytes would not fit into memory as strings. */
export function mayBeDecoded(bytes: number): void {
  if (bytes <= MOST_DECODED_BYTES) return;
  throw new WaltrailError(
    'EXPORT_OUT_OF_MEMORY',
    `The values of one entry have ${bytes} bytes. A file in this format can hold ${MOST_DECODED_BYTES} for each entry.`,
  );
}

/** Decodes a row of a batch. Throws EXPORT_OUT_OF_MEMORY. */
export function decodedEntry(batch: RowBatch, index: number): Entry {
  const { stored } = batch;
  if (stored !== null) {
    stored.rows.goTo(index);
    mayBeDecoded(stored.rows.lengthOf(ROW_TEXT.previous) + stored.rows.lengthOf(ROW_TEXT.updated));
  }
  return batch.entry(index);
}
