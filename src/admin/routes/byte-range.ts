/** Bytes of a file, both included, counted from 0. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Decides which bytes of a file a GET asks for (RFC 9110, sections 13.1.5 and 14.2). Undefined: the whole
 * file, also where the header is malformed or names several ranges, or where the caller has bytes of another
 * file. `unsatisfiable`: the file has none of them.
 */
export function requestedRange(request: {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  /** The strong entity tag of the file, in its quotes. */
  readonly etag: string;
  readonly size: number;
}): ByteRange | 'unsatisfiable' | undefined {
  const { range, ifRange, etag, size } = request;
  // A date is never right: the file is told by its tag only.
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return undefined;
  const [, from, to] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(range) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from === '') {
    const count = Math.min(Number(to), size);
    return count === 0 ? 'unsatisfiable' : { first: size - count, last: size - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  if (first >= size) return 'unsatisfiable';
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
