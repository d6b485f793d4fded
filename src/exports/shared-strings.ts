import { escapeXml } from './cells.js';

/** Largest number of characters of all strings together. A trail may have any number of modifiers. */
const MOST_CHARACTERS = 2_000_000;

/**
 * The table of shared strings of a workbook (ECMA-376, part 1, 18.4.9). Cells refer to a string by its
 * number, which takes a third of the bytes of the text in the cell. It is for words that repeat, because the
 * table stays in memory until the file ends.
 */
export class SharedStrings {
  readonly #most: number;
  readonly #numbers = new Map<string, number>();
  #characters = 0;

  constructor(most = MOST_CHARACTERS) {
    this.#most = most;
  }

  /** Returns the number of a text; undefined: it is not in the table, and the table is full. */
  numberOf(text: string): number | undefined {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#characters += text.length;
    if (this.#characters > this.#most) return undefined;
    const number = this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }

  get count(): number {
    return this.#numbers.size;
  }

  /** The items of the table in order, as XML. */
  get items(): string {
    // Each item preserves white space at its edges, which saves a check whether it has any.
    return Array.from(
      this.#numbers.keys(),
      (text) => `<si><t xml:space="preserve">${escapeXml(text)}</t></si>`,
    ).join('');
  }
}
