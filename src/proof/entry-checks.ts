import { RUNG_BASELINE, RUNG_OWN } from '../pipeline/ports.js';
import { capital, entryText, type Findings } from './findings.js';
import type { References } from './references.js';
import {
  AT_ACTION,
  AT_COMMIT_LSN,
  AT_COMMITTED_AT,
  AT_ENTITY_ID,
  AT_RELATION,
  AT_RUNG,
  AT_SEQ,
  idOf,
} from './stretch.js';

/** The last entry of the source. The next one is compared with it. */
interface LastEntry {
  id: bigint;
  lsnHigh: number;
  lsnLow: number;
  seq: number;
  timeHigh: number;
  timeLow: number;
}

/**
 * Checks each entry against the one before it, in the order of ids. Commit LSN and seq must grow, so that no
 * two entries are the same change. They may start again only after an entry that records that capture resumed
 * after a gap (`gap_closed`), because the source may then be another one, or in an older state. Entries of
 * one transaction must have the same commit time.
 */
export class EntryChecks {
  readonly #findings: Findings;
  readonly #references: References;
  readonly #last: LastEntry = { id: -1n, lsnHigh: 0, lsnLow: 0, seq: 0, timeHigh: 0, timeLow: 0 };
  /**
   * Whether no entry of the source has been seen since the beginning, or since capture resumed after a gap.
   */
  #begins = true;

  constructor(findings: Findings, references: References) {
    this.#findings = findings;
    this.#references = references;
  }

  check(row: Buffer, at: number): void {
    this.#references.checkRelation(row, at);
    const rung = row[at + AT_RUNG]!;
    if (rung === RUNG_OWN) this.#checkOwn(row, at);
    // What existed already is no change, and has the position behind all that it shows.
    else if (rung !== RUNG_BASELINE) this.#checkOrder(row, at);
  }

  /**
   * Checks that the last entry of the source lies before the checkpoint. Otherwise it would be stored again.
   */
  checkEnd(endLsn: bigint): void {
    const { id, lsnHigh, lsnLow } = this.#last;
    if (this.#begins || ((BigInt(lsnHigh) << 32n) | BigInt(lsnLow)) < endLsn) return;
    this.#findings.add(
      'order',
      `The checkpoint (end_lsn) lies before ${entryText(id)}: capture would store the changes after the checkpoint again.`,
    );
  }

  #checkOwn(row: Buffer, at: number): void {
    if (row.readInt16BE(at + AT_ACTION) === this.#references.gapClosed) this.#begins = true;
    if (!this.#references.isGapRelation(row.readInt32BE(at + AT_RELATION))) return;
    const length = row.readInt32BE(at + AT_ENTITY_ID);
    const gap = Number(row.toString('latin1', at + AT_ENTITY_ID + 4, at + AT_ENTITY_ID + 4 + length));
    if (this.#references.hasGap(gap)) return;
    this.#findings.add(
      'gap',
      `${capital(entryText(idOf(row, at)))} records a gap that trail.gap does not have.`,
    );
  }

  #checkOrder(row: Buffer, at: number): void {
    const last = this.#last;
    const lsnHigh = row.readUInt32BE(at + AT_COMMIT_LSN);
    const lsnLow = row.readUInt32BE(at + AT_COMMIT_LSN + 4);
    const seq = row.readInt32BE(at + AT_SEQ);
    const timeHigh = row.readInt32BE(at + AT_COMMITTED_AT);
    const timeLow = row.readUInt32BE(at + AT_COMMITTED_AT + 4);
    if (!this.#begins) {
      const sameLsn = lsnHigh === last.lsnHigh && lsnLow === last.lsnLow;
      const grows = sameLsn
        ? seq > last.seq
        : lsnHigh > last.lsnHigh || (lsnHigh === last.lsnHigh && lsnLow > last.lsnLow);
      if (!grows) this.#outOfOrder(row, at);
      if (sameLsn && (timeHigh !== last.timeHigh || timeLow !== last.timeLow)) this.#otherTime(row, at);
    }
    this.#begins = false;
    last.id = idOf(row, at);
    last.lsnHigh = lsnHigh;
    last.lsnLow = lsnLow;
    last.seq = seq;
    last.timeHigh = timeHigh;
    last.timeLow = timeLow;
  }

  #outOfOrder(row: Buffer, at: number): void {
    this.#findings.add(
      'order',
      `${capital(entryText(idOf(row, at)))} does not come after the previous entry (${this.#last.id}) in the source's WAL (commit_lsn, seq), and there is no gap between them.`,
    );
  }

  #otherTime(row: Buffer, at: number): void {
    this.#findings.add(
      'commit_time',
      `${capital(entryText(idOf(row, at)))} has a different commit time than the previous entry (${this.#last.id}), which belongs to the same transaction.`,
    );
  }
}
