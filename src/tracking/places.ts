import { formatPath, type KeyPath } from './document.js';

/** A file, and the position of a path in it. */
export interface PlacesFile {
  readonly name: string;
  readonly positionOf: (path: KeyPath) => { readonly line: number; readonly column: number };
}

/**
 * Finds the line of the file for a value of the configuration. Findings about the source name these lines, as
 * the loader does.
 */
export class Places {
  readonly #file: PlacesFile | null;
  readonly #origins: ReadonlyMap<string, ReadonlyMap<string, KeyPath>>;

  /**
   * @param file null: the configuration comes from the trail
   * @param origins what each table takes over (inherit.ts), by canonical name of the table or pattern
   */
  constructor(
    file: PlacesFile | null,
    origins: ReadonlyMap<string, ReadonlyMap<string, KeyPath>> = new Map(),
  ) {
    this.#file = file;
    this.#origins = origins;
  }

  /** Returns the path where the file has the value of `path`. It differs if a table takes the value over. */
  originOf(path: KeyPath): KeyPath {
    const [first, table, key, column, ...rest] = path;
    if (first !== 'tables' || key === undefined) return path;
    const origins = this.#origins.get(String(table));
    const ofColumn = column === undefined ? undefined : origins?.get(`${key}.${column}`);
    if (ofColumn !== undefined) return [...ofColumn, ...rest];
    const ofKey = origins?.get(String(key));
    return ofKey === undefined ? path : [...ofKey, ...(column === undefined ? [] : [column]), ...rest];
  }

  /** Returns these places with what the tables take over. */
  withOrigins(origins: ReadonlyMap<string, ReadonlyMap<string, KeyPath>>): Places {
    return new Places(this.#file, origins);
  }

  /**
   * Returns `file:line:column: key`. If the file lacks the key, the nearest parent counts. Without a file,
   * the result is the key alone.
   */
  of(written: KeyPath): string {
    const { at, key } = this.find(written);
    return at === null ? key : `${at}: ${key}`;
  }

  /** The parts of {@link Places.of}. */
  find(written: KeyPath): Place {
    const path = this.originOf(written);
    const isTakenOver = path[0] !== written[0] || (path[0] === 'tables' && path[1] !== written[1]);
    const key = formatPath(path);
    if (this.#file === null) return { at: null, key, isTakenOver };
    const { line, column } = this.#file.positionOf(path);
    return { at: `${this.#file.name}:${line}:${column}`, key, isTakenOver };
  }
}

/** The place of a key in the YAML. */
export interface Place {
  /** `file:line:column`; null: the configuration comes from the trail. */
  readonly at: string | null;
  /** For example `tables."public.agents".name`. */
  readonly key: string;
  /** Whether a table has it from `defaults` or from a table that it extends. */
  readonly isTakenOver: boolean;
}
