import type { Tuple } from '../pgoutput/tuple.js';
import type { ColumnRedaction } from './column-redactions.js';
import { JsonMasker } from './json-mask.js';
import { MAX_VALUE_BYTES } from './ports.js';
import { maySecret, SHORTEST_SECRET_BYTES } from './secret-text.js';

/** Which columns of a relation are searched for secrets, and how. Compiled once for each relation version. */
export interface LookedAt {
  /** By column index. */
  readonly lookKinds: Uint8Array;
  /** By column index: 1 for texts. */
  readonly lookedTexts: Uint8Array;
  /** By column index, for columns of kind {@link MEMBERS}. */
  readonly maskers: readonly (JsonMasker | null)[];
  /**
   * Indexes of the columns that are stored. `lookedAt` has those that are searched before the row is written.
   */
  readonly stored: Uint16Array;
  readonly lookedAt: Uint16Array;
}

/** Values are stored as they are. */
const STORED = 0;
/** Texts, which may have a password or a token in them. Signs of these are found while a text is written. */
export const TEXTS = 1;
/** JSON with members that may be secret. */
const MEMBERS = 2;
/** Each value is redacted, or must be parsed to find out. */
const REDACTED = 3;

export function lookAt(redacted: readonly ColumnRedaction[]): LookedAt {
  const lookKinds = Uint8Array.from(redacted, kindOf);
  const stored = redacted.flatMap(({ redaction }, column) =>
    redaction.whole?.method === 'drop' ? [] : [column],
  );
  return {
    lookKinds,
    lookedTexts: lookKinds.map((kind) => (kind === TEXTS ? 1 : 0)),
    maskers: redacted.map(({ look }) => (look instanceof JsonMasker ? look : null)),
    stored: Uint16Array.from(stored),
    lookedAt: Uint16Array.from(stored.filter((column) => lookKinds[column]! > TEXTS)),
  };
}

function kindOf({ redactor, look }: ColumnRedaction): number {
  if (redactor === null) return STORED;
  if (look === null) return REDACTED;
  return look === 'texts' ? TEXTS : MEMBERS;
}

/**
 * Whether a value in these columns, other than a text, may have to be redacted. Most rows have no such value.
 * So this small loop searches them first, and code without redaction writes them (measured: to ask for each
 * value while it is written took 0.11 us a change, whatever was found).
 */
export function mayRedact(plan: LookedAt, row: Tuple, columns: Uint16Array, count: number): boolean {
  for (let index = 0; index < count; index++)
    if (plan.lookKinds[columns[index]!]! > TEXTS && mayRedactValue(plan, row, columns[index]!)) return true;
  return false;
}

/** Whether a text in these columns may have to be redacted. Called if one of them has a sign of a secret. */
export function mayRedactTexts(plan: LookedAt, row: Tuple, columns: Uint16Array, count: number): boolean {
  for (let index = 0; index < count; index++)
    if (plan.lookKinds[columns[index]!] === TEXTS && mayRedactValue(plan, row, columns[index]!)) return true;
  return false;
}

/** Whether a value of any kind may have to be redacted. */
export function mayRedactValue(plan: LookedAt, row: Tuple, column: number): boolean {
  const kind = plan.lookKinds[column];
  const length = row.lengths[column]!;
  if (kind === STORED || length < 0 || column >= row.count) return false;
  const start = row.offsets[column]!;
  switch (kind) {
    case TEXTS:
      return (
        length >= SHORTEST_SECRET_BYTES &&
        length <= MAX_VALUE_BYTES &&
        maySecret(row.bytes, start, start + length)
      );
    case MEMBERS:
      return plan.maskers[column]!.mayMask(row.bytes, start, start + length);
    default:
      return true;
  }
}
