/** A part of a text that is on both sides, only on the previous one, or only on the updated one. */
export interface Part {
  readonly is: 'same' | 'removed' | 'added';
  readonly text: string;
}

/**
 * Compares two texts: by line if either has several lines, else by word. Texts may have only a few words or
 * commas in common. They are then returned as one removed and one added part, which is easier to read.
 */
export function diffText(previous: string, updated: string): Part[] {
  const split = previous.includes('\n') || updated.includes('\n') ? splitLines : splitWords;
  const parts = diffTokens(split(previous), split(updated));
  const same = parts.reduce((sum, part) => sum + (part.is === 'same' ? part.text.trim().length : 0), 0);
  if (split === splitWords && same * 3 < Math.min(previous.length, updated.length)) {
    return [
      { is: 'removed', text: previous },
      { is: 'added', text: updated },
    ];
  }
  return parts;
}

/** Maximum number of cells in the table for the longest common subsequence: 4 MB, some milliseconds. */
const MAX_DIFF_CELLS = 1_000_000;

/**
 * Compares two lists of tokens by their longest common subsequence. Equal beginnings and ends are matched
 * first. If the rest needs more than MAX_DIFF_CELLS, it counts as completely replaced.
 */
export function diffTokens(previous: readonly string[], updated: readonly string[]): Part[] {
  let start = 0;
  while (start < previous.length && start < updated.length && previous[start] === updated[start]) start += 1;
  let end = 0;
  while (
    end < previous.length - start &&
    end < updated.length - start &&
    previous[previous.length - 1 - end] === updated[updated.length - 1 - end]
  )
    end += 1;
  const before = previous.slice(start, previous.length - end);
  const after = updated.slice(start, updated.length - end);
  const parts: Part[] = [];
  const push = (is: Part['is'], tokens: readonly string[]): void => {
    const text = tokens.join('');
    if (text === '') return;
    const last = parts.at(-1);
    if (last?.is === is) parts[parts.length - 1] = { is, text: last.text + text };
    else parts.push({ is, text });
  };
  push('same', previous.slice(0, start));
  if (before.length * after.length > MAX_DIFF_CELLS) {
    push('removed', before);
    push('added', after);
  } else walkMiddle(before, after, push);
  push('same', previous.slice(previous.length - end));
  return parts;
}

function walkMiddle(
  before: readonly string[],
  after: readonly string[],
  push: (is: Part['is'], tokens: readonly string[]) => void,
): void {
  const width = after.length + 1;
  const lengths = new Int32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        before[i] === after[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  let i = 0;
  let j = 0;
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      push('same', [before[i]!]);
      i += 1;
      j += 1;
    } else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) {
      push('removed', [before[i]!]);
      i += 1;
    } else {
      push('added', [after[j]!]);
      j += 1;
    }
  }
  push('removed', before.slice(i));
  push('added', after.slice(j));
}

/**
 * Splits a text by line. The comma at the end of a line of json is a separate token: if a member is added
 * after the line, only the comma differs.
 */
const splitLines = (text: string): string[] => text.split(/(?<=\n)|(?=,?\n)|(?<=,)(?=\n)/);
const splitWords = (text: string): string[] =>
  text.split(/(\s+|(?<=[^\p{L}\p{N}_])|(?=[^\p{L}\p{N}_]))/u).filter((word) => word !== '');
