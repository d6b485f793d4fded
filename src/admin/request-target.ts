/**
 * The target of a request, as it was sent (RFC 9112, section 3.2). The API accepts only percent-encoded
 * UTF-8. A lenient parser replaces or keeps what it cannot decode, and the API would search for a text that
 * was not meant.
 */
export interface RequestTarget {
  readonly path: string;
  /** Names and values, not decoded. */
  readonly query: readonly (readonly [name: string, value: string])[];
}

export function targetOf(target: string): RequestTarget {
  const url = originForm(target);
  const begin = url.indexOf('?');
  if (begin < 0) return { path: url, query: [] };
  const query = url
    .slice(begin + 1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    });
  return { path: url.slice(0, begin), query };
}

/** Removes scheme and host of a target in absolute form (RFC 9112, section 3.2.2), as the router does. */
function originForm(target: string): string {
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '');
  return rest === target || rest.startsWith('/') ? rest : `/${rest}`;
}

/** Whether a part of a target is percent-encoded UTF-8 (RFC 3986, section 2.1; RFC 3629). */
export function isEncoded(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** Returns the names of the query's parameters that are encoded wrongly, each once. */
export function misencodedParameters({ query }: RequestTarget): readonly string[] {
  const wrong = query.filter(([name, value]) => !isEncoded(name) || !isEncoded(value));
  return [...new Set(wrong.map(([name]) => (isEncoded(name) ? decodeURIComponent(name) : name)))];
}

/** Returns the indexes of the path's segments that are encoded wrongly. */
export function misencodedSegments({ path }: RequestTarget): readonly number[] {
  return path.split('/').flatMap((segment, place) => (isEncoded(segment) ? [] : [place]));
}
