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

  /** @param file null: the configuration is one that the trail has kept */
  constructor(file: PlacesFile | null) {
    this.#file = file;
  }

  /**
   * `file:line:column: key`, of the nearest key above where the file has no such key. The key alone where
   * there is no file.
   */
  of(path: KeyPath): string {
    if (this.#file === null) return formatPath(path);
    const { line, column } = this.#file.positionOf(path);
    return `${this.#file.name}:${line}:${column}: ${formatPath(path)}`;
  }
}
