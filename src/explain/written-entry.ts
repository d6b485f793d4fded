import { bytesText, readableText } from '../pg/text.js';
import { LENGTH_NULL } from '../pgoutput/tuple.js';
import { MARK_NULL, type EntryHead, type EntryRows, type SentRow } from '../pipeline/ports.js';

/** A field of a side: its text, `null` for SQL null, undefined if it is not known. */
export type Field = string | null | undefined;

/** Texts of an entry by their place counted from its end (see {@link EntryRows}). */
const TEXTS = { id: -6, name: -5, previous: -3, updated: -2 } as const;

/** Keeps what is written of one entry. */
export class WrittenEntry implements EntryRows {
  readonly nextId = 0n;
  #head: EntryHead | undefined;
  /** The pieces of each text; null if there is none. */
  readonly #texts: (Field[] | null)[] = [];
  #open: Field[] = [];

  /** Number of pieces of the current text. */
  get bytes(): number {
    return this.#open.length;
  }

  get actionId(): number {
    return this.#head!.actionId;
  }

  get entityTypeId(): number {
    return this.#head!.entityTypeId;
  }

  /** 0 if there is none. */
  get tenantId(): number {
    return this.#head!.tenantId;
  }

  /** Null if there is none, or if a part of it is not known. */
  get entityId(): string | null {
    return this.#joined(TEXTS.id);
  }

  /** Null if there is none. */
  get entityName(): string | null {
    return this.#joined(TEXTS.name);
  }

  /** The fields of a side; null if there is no such side. */
  side(which: 'previous' | 'updated'): readonly Field[] | null {
    return this.#texts.at(TEXTS[which]) ?? null;
  }

  transaction(): void {
    // The explained change belongs to no transaction.
  }

  head(head: EntryHead): void {
    this.#head = { ...head };
  }

  previousTenant(): void {
    // Texts are counted from the end, so those before them do not matter.
  }

  nullText(): void {
    this.#texts.push(null);
  }

  beginText(): void {
    this.#open = [];
  }

  endText(): void {
    this.#texts.push(this.#open);
  }

  raw(bytes: Buffer, start: number, length: number): void {
    this.text(bytes, start, length);
  }

  text(bytes: Buffer, start: number, length: number): void {
    this.#open.push(readableText(bytes, start, length));
  }

  lookedText(bytes: Buffer, start: number, length: number): number {
    this.text(bytes, start, length);
    return MAY_HAVE_SECRETS;
  }

  value(bytes: Buffer, start: number, length: number): void {
    this.text(bytes, start, length);
  }

  values({ bytes, offsets, lengths }: SentRow, columns: Uint16Array, count: number): number {
    for (const column of columns.subarray(0, count)) {
      const length = lengths[column]!;
      if (length >= 0) this.value(bytes, offsets[column]!, length);
      else this.#open.push(length === LENGTH_NULL ? null : undefined);
    }
    return MAY_HAVE_SECRETS;
  }

  rewind(bytes: number): void {
    this.#open.length = bytes;
  }

  bytesValue(bytes: Buffer, start: number, length: number): void {
    this.#open.push(bytesText(bytes.toString('hex', start, start + length)));
  }

  context(): bigint {
    return 0n;
  }

  mark(mark: number): void {
    this.#open.push(mark === MARK_NULL ? null : undefined);
  }

  reattribute(): boolean {
    return false;
  }

  #joined(at: number): string | null {
    return this.#texts.at(at)?.join('') ?? null;
  }
}

/** The answer that makes the writer check every value for secrets. */
const MAY_HAVE_SECRETS = 1;
