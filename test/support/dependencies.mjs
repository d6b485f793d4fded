/**
 * Returns the files that a file depends on, for `--watch`, `-o` and `--findRelatedTests`. Specs run `dist/`,
 * but people edit `src/`. Only here, an import of `x.js` counts as one of `x.ts`. The mapper in
 * jest.config.mjs decides what runs.
 */
export function extract(code, file, extractDefault) {
  return new Set([...extractDefault(code, file)].map((name) => name.replace(/^(\.{1,2}\/.*)\.js$/, '$1.ts')));
}

/** Must change together with {@link extract}, because Jest caches its results. */
export const getCacheKey = () => '1';
