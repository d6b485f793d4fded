/**
 * The paths that have a route, with their methods. Fastify looks a route up by method and path together, so
 * of a request without a route it does not know whether the path is wrong or the method.
 */
export class KnownPaths {
  readonly #routes: Route[] = [];

  /** `pattern` is one of Fastify's: segments as they are, `:name`, and `*` at the end. */
  add(pattern: string, methods: readonly string[]): void {
    this.#routes.push({ segments: pattern.split('/'), methods });
  }

  /** Returns the methods that a path has, in alphabetical order; none: nothing is there. */
  methodsOf(path: string): readonly string[] {
    const segments = path.split('/');
    const found = this.#routes.filter((route) => matches(route.segments, segments));
    return [...new Set(found.flatMap(({ methods }) => methods))].sort();
  }

  /** Returns the name that a route gives to a part of a path, by its place between the slashes. */
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
