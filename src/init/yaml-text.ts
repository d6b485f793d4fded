/** Widest line of a comment. */
const COMMENT_WIDTH = 116;

const PLAIN = /^[A-Za-z_][\w.-]*(?: [\w.-]+)*$/;
const RESERVED = /^(?:true|false|null)$/i;
/** Characters that end a line for a reader of YAML or of a terminal. A name must not leave its comment. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Writes a text as YAML: bare if it cannot mean anything else, or else in double quotes. `${` becomes `$${`,
 * which the loader turns back into `${`.
 */
export function scalar(text: string): string {
  if (PLAIN.test(text) && !RESERVED.test(text)) return text;
  return JSON.stringify(text.replaceAll('${', '$${')).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `[a, b]` */
export const list = (items: readonly string[]): string => `[${items.map(scalar).join(', ')}]`;

/** Writes `{ a: b, c: d }`; the values are YAML already. */
export const flow = (pairs: readonly (readonly [key: string, value: string])[]): string =>
  `{ ${pairs.map(([key, value]) => `${/^\d{1,3}$/.test(key) ? key : scalar(key)}: ${value}`).join(', ')} }`;

/** Writes one text as lines of a comment. Characters that a line cannot show become question marks. */
export function comment(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replace(UNSHOWN, '?').split(' ')) {
    if (line !== '' && indent.length + 2 + line.length + 1 + word.length > COMMENT_WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((found) => `${indent}# ${found}`);
}

/** Adds a comment after a line, if there is one. */
export const remarked = (line: string, remark: string | null): string =>
  remark === null ? line : `${line} # ${remark.replace(UNSHOWN, '?')}`;
