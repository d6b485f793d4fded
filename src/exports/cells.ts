/**
 * Excel's limit for the text of a cell, in UTF-16 units. With a longer text, Excel reports the whole file as
 * damaged.
 */
export const MAX_CELL_LENGTH = 32_767;
export const CLIP_MARK = ' […clipped]';

/** Clips a text to what a cell holds, or to `most`, and marks it as clipped. Never cuts a surrogate pair. */
export function clipCell(text: string, most = MAX_CELL_LENGTH): string {
  if (text.length <= most) return text;
  let end = most - CLIP_MARK.length;
  if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end) + CLIP_MARK;
}

/** Fewest characters of a clipped line. With fewer, its column would not be recognizable. */
const FEWEST_OF_LINE = 40;

/**
 * Joins lines to the text of a cell. If they are too long together, the longest are clipped to the same
 * length, so that every line has its start in the cell.
 */
export function clipLines(lines: readonly string[]): string {
  const text = lines.join('\n');
  if (text.length <= MAX_CELL_LENGTH) return text;
  let room = MAX_CELL_LENGTH - (lines.length - 1);
  let most = 0;
  const lengths = lines.map(({ length }) => length).sort((one, other) => one - other);
  for (const [index, length] of lengths.entries()) {
    most = Math.floor(room / (lengths.length - index));
    if (length > most) break;
    room -= length;
  }
  if (most < FEWEST_OF_LINE) return clipCell(text);
  return lines.map((line) => clipCell(line, most)).join('\n');
}

const NEEDS_ESCAPE = /[&<>_\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]/;

// An underscore is escaped if a reader would take it for the start of `_xHHHH_`. The last underscore of that
// may be one of the text, or the first of an escaped control character after it. Readers differ on the case
// of the x.
const ESCAPES =
  /[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=[xX][0-9a-fA-F]{4}[_\x00-\x08\x0b-\x1f])|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * Escapes text for the content of an XML element of a workbook (ST_Xstring of ECMA-376, part 1, 22.9.2.19).
 * Control characters become `_x0001_`, as do carriage returns, which XML would turn into line feeds. Lone
 * surrogates, U+FFFE and U+FFFF are not allowed in XML, and become U+FFFD.
 */
export const escapeXml = (text: string): string =>
  NEEDS_ESCAPE.test(text) ? text.replace(ESCAPES, escapeCharacter) : text;

/** Escapes text for a library that escapes only markup. */
export const escapeForExcel = (text: string): string =>
  clipCell(text).replace(ESCAPES, (match) => ('&<>'.includes(match) ? match : escapeCharacter(match)));

function escapeCharacter(match: string): string {
  switch (match) {
    case '&':
      return '&amp;';
    case '<':
      return '&lt;';
    case '>':
      return '&gt;';
    case '_':
      return '_x005F_';
    default: {
      const code = match.charCodeAt(0);
      return code < 0x20 ? `_x${code.toString(16).toUpperCase().padStart(4, '0')}_` : '\ufffd';
    }
  }
}

/**
 * Returns a cell of text. It is an inline string, which no reader takes for a number, a date or a formula.
 */
export function textCell(reference: string, style: string, text: string): string {
  // White space at the edges is lost unless the element declares that it is preserved.
  const edges = text.charCodeAt(0) <= 0x20 || text.charCodeAt(text.length - 1) <= 0x20;
  const open = edges ? '<t xml:space="preserve">' : '<t>';
  return `<c r="${reference}" s="${style}" t="inlineStr"><is>${open}${escapeXml(text)}</t></is></c>`;
}

/** Returns a cell that refers to the table of strings. */
export const sharedCell = (reference: string, style: string, number: number): string =>
  `<c r="${reference}" s="${style}" t="s"><v>${number}</v></c>`;

export const numberCell = (reference: string, style: string, number: number | string): string =>
  `<c r="${reference}" s="${style}"><v>${number}</v></c>`;

/** Returns the letters of a column by its index from 0: A … Z, AA … */
export function columnLetters(index: number): string {
  const rest = Math.floor(index / 26);
  return (rest === 0 ? '' : columnLetters(rest - 1)) + String.fromCharCode(65 + (index % 26));
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
