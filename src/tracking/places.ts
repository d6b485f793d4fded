import { formatPath, type KeyPath } from './document.js';

/** A file, and where in it the value of a path stands. */
export interface PlacesFile {
  readonly name: string;
  readonly positionOf: (path: KeyPath) => { readonly line: number; readonly column: number };
}

/**
 * Where the file says what a configuration holds: findings about the source name its lines, as the loader
 * does.
 */
export class Places {
  readonly #file: PlacesFile | null;
  readonly #origins: ReadonlyMap<string, ReadonlyMap<string, KeyPath>>;

  /**
   * @param file null: the configuration is one that the trail has kept
   * @param origins by canonical name of a table or pattern, what it has taken over (inherit.ts)
   */
  constructor(
    file: PlacesFile | null,
    origins: ReadonlyMap<string, ReadonlyMap<string, KeyPath>> = new Map(),
  ) {
    this.#file = file;
    this.#origins = origins;
  }

  /** The path at which the file says what is at `path`: another one where a table has taken it over. */
  originOf(path: KeyPath): KeyPath {
    const [first, table, key, column, ...rest] = path;
    if (first !== 'tables' || key === undefined) return path;
    const origins = this.#origins.get(String(table));
    const ofColumn = column === undefined ? undefined : origins?.get(`${key}.${column}`);
    if (ofColumn !== undefined) return [...ofColumn, ...rest];
    const ofKey = origins?.get(String(key));
    return ofKey === undefined ? path : [...ofKey, ...(column === undefined ? [] : [column]), ...rest];
  }

  /** The configuration with what its tables have taken over. */
  withOrigins(origins: ReadonlyMap<string, ReadonlyMap<string, KeyPath>>): Places {
    return new Places(this.#file, origins);
  }

  /**
   * `file:line:column: key`, of the nearest key above where the file has no such key. The key alone where
   * there is no file.
   */
  of(written: KeyPath): string {
    const { at, key } = this.find(written);
    return at === null ? key : `${at}: ${key}`;
  }

  /** The same in its parts. */
  find(written: KeyPath): Place {
    const path = this.originOf(written);
    const isTakenOver = path[0] !== written[0] || (path[0] === 'tables' && path[1] !== written[1]);
    const key = formatPath(path);
    if (this.#file === null) return { at: null, key, isTakenOver };
    const { line, column } = this.#file.positionOf(path);
    return { at: `${this.#file.name}:${line}:${column}`, key, isTakenOver };
  }
}

/** Where a key of the YAML stands. */
export interface Place {
  /** `file:line:column`; null: the configuration is one that the trail has kept. */
  readonly at: string | null;
  /** As `tables."public.agents".name`. */
  readonly key: string;
  /** A table has it from `defaults` or from what it extends. */
  readonly isTakenOver: boolean;
}
