/**
 * The paths that have a route, with their methods. Fastify looks up a route by method and path together. If
 * there is none, it does not know whether the path or the method is wrong.
 */
export class KnownPaths {
  readonly #routes: Route[] = [];

  /** `pattern` is a pattern of Fastify: literal segments, `:name`, and `*` at the end. */
  add(pattern: string, methods: readonly string[]): void {
    this.#routes.push({ segments: pattern.split('/'), methods });
  }

  /** Returns the methods of a path in alphabetical order. Empty if the path has no route. */
  methodsOf(path: string): readonly string[] {
    const segments = path.split('/');
    const found = this.#routes.filter((route) => matches(route.segments, segments));
    return [...new Set(found.flatMap(({ methods }) => methods))].sort();
  }

  /** Returns the name of the parameter at one segment of a path. `place` is the segment's index. */
  parameterAt(path: string, place: number): string | undefined {
    const segments = path.split('/');
    const name = this.#routes
      .filter((route) => matches(route.segments, segments))
      .map((route) => route.segments[place])
      .find((segment) => segment?.startsWith(':'));
    return name?.slice(1);
  }
}

interface Route {
  readonly segments: readonly string[];
  readonly methods: readonly string[];
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === '*';
  if (isOpen ? path.length < pattern.length : path.length !== pattern.length) return false;
  return pattern.every((segment, place) => {
    const actual = path[place]!;
    if (segment === '*' && place === pattern.length - 1) return true;
    return segment.startsWith(':') ? actual !== '' : segment === decoded(actual);
  });
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
