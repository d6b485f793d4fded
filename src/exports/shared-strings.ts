import { escapeXml } from './cells.js';

/** Characters of all strings together, escaped: a trail may have any number of modifiers. */
const MOST_CHARACTERS = 2_000_000;

/**
 * The table of strings of a workbook (ECMA-376, part 1, 18.4.9). Cells refer to a string by its number, which
 * takes a third of the bytes of the text in the cell. For words that repeat: the table stays in memory until
 * the file ends.
 */
export class SharedStrings {
  readonly #most: number;
  readonly #numbers = new Map<string, number>();
  #characters = 0;

  constructor(most = MOST_CHARACTERS) {
    this.#most = most;
  }

  /** Returns the number of a text; undefined: it is not in the table, which has no more room. */
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

  /** The items of the table in their order, as XML. */
  get items(): string {
    // White space at the edges counts in each of them, so that nobody has to ask whether there is any.
    return Array.from(
      this.#numbers.keys(),
      (text) => `<si><t xml:space="preserve">${escapeXml(text)}</t></si>`,
    ).join('');
  }
}
