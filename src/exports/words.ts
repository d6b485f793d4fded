import type { StoredRows } from '../trail/read/row-batch.js';
import { actingAsText } from './columns.js';
import { Piece } from './piece.js';

/** Largest number of pieces that are kept. */
const MOST_KEPT = 20_000;

/**
 * Keeps the pieces of a file for words that repeat, by their number in the trail. Each word is encoded once.
 * A piece may be empty.
 */
export class Words {
  readonly #encode: (rows: StoredRows) => Piece;
  /** Pieces of small numbers, which most are. {@link #ofOthers} has the others. */
  readonly #pieces: (Piece | undefined)[] = [];
  readonly #ofOthers = new Map<number, Piece>();
  #number = NaN;
  #piece = Piece.EMPTY;

  /** @param encode returns the piece for the present row of the batch */
  constructor(encode: (rows: StoredRows) => Piece) {
    this.#encode = encode;
  }

  /** Returns the piece of a number that the row has. */
  piece(number: number, rows: StoredRows): Piece {
    // Rows of one transaction are adjacent and often have the same number.
    if (number === this.#number) return this.#piece;
    const isSmall = number >= 0 && number < MOST_KEPT;
    let piece = isSmall ? this.#pieces[number] : this.#ofOthers.get(number);
    if (piece === undefined) {
      piece = this.#encode(rows);
      if (isSmall) this.#pieces[number] = piece;
      else {
        if (this.#ofOthers.size >= MOST_KEPT) this.#ofOthers.clear();
        this.#ofOthers.set(number, piece);
      }
    }
    this.#number = number;
    this.#piece = piece;
    return piece;
  }
}

/** A column of the report that contains a word: the index of the column, and the word. */
export interface WordColumn {
  readonly column: number;
  readonly text: (rows: StoredRows) => string;
}

const WORD_COLUMNS = {
  modifier: { column: 0, text: (rows) => rows.modifier.name },
  action: { column: 1, text: (rows) => rows.actionName ?? rows.action },
  entityType: { column: 2, text: (rows) => rows.entityType },
  modifierKind: { column: 8, text: (rows) => rows.modifier.kind ?? '' },
  rung: { column: 9, text: (rows) => rows.modifier.rung },
  tenant: { column: 10, text: (rows) => rows.tenant ?? '' },
  table: { column: 11, text: (rows) => rows.table },
  actingAs: { column: 19, text: (rows) => actingAsText(rows.modifier) },
} as const satisfies Record<string, WordColumn>;

/** Indexes of the report's columns that contain words. */
export const WORD_PLACES: ReadonlySet<number> = new Set(
  Object.values(WORD_COLUMNS).map(({ column }) => column),
);

/** Returns the words of the report's columns, encoded for a format. */
export function wordsOfReport(
  encoder: (column: WordColumn) => (rows: StoredRows) => Piece,
): Readonly<Record<keyof typeof WORD_COLUMNS, Words>> {
  const { modifier, action, entityType, modifierKind, rung, tenant, table, actingAs } = WORD_COLUMNS;
  return {
    modifier: new Words(encoder(modifier)),
    action: new Words(encoder(action)),
    entityType: new Words(encoder(entityType)),
    modifierKind: new Words(encoder(modifierKind)),
    rung: new Words(encoder(rung)),
    tenant: new Words(encoder(tenant)),
    table: new Words(encoder(table)),
    actingAs: new Words(encoder(actingAs)),
  };
}
