/** A range of bytes of a file. Both ends are included and count from 0. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Returns the bytes of a file that a GET requests (RFC 9110, sections 13.1.5 and 14.2). Undefined: the whole
 * file. That is also so if the header is malformed or names several ranges, or if the caller has bytes of
 * another file. `unsatisfiable`: the file has none of these bytes.
 */
export function requestedRange(request: {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  /** The strong entity tag of the file, with its quotes. */
  readonly etag: string;
  readonly size: number;
}): ByteRange | 'unsatisfiable' | undefined {
  const { range, ifRange, etag, size } = request;
  // A date in If-Range never matches: only the tag identifies a file.
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
