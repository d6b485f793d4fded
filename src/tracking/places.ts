import { formatPath, type KeyPath } from './document.js';

/**
 * Where the file says what a configuration holds: findings about the source name its lines, as the loader
 * does.
 */
export class Places {
  readonly #file: string;
  readonly #positionOf: (path: KeyPath) => { readonly line: number; readonly column: number };

  constructor(
    file: string,
    positionOf: (path: KeyPath) => { readonly line: number; readonly column: number },
  ) {
    this.#file = file;
    this.#positionOf = positionOf;
  }

  /** `file:line:column: key`, of the nearest key above where the file has no such key. */
  of(path: KeyPath): string {
    const { line, column } = this.#positionOf(path);
    return `${this.#file}:${line}:${column}: ${formatPath(path)}`;
  }
}
