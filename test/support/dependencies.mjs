/**
 * Which files a file depends on, for `--watch`, `-o` and `--findRelatedTests`. Specs run `dist/`, but what is
 * edited is `src/`: an import of `x.js` counts as one of `x.ts`, here alone. What runs is decided by the
 * mapper in jest.config.mjs.
 */
export function extract(code, file, extractDefault) {
  return new Set([...extractDefault(code, file)].map((name) => name.replace(/^(\.{1,2}\/.*)\.js$/, '$1.ts')));
}

/** To be changed with {@link extract}: Jest keeps what it found. */
export const getCacheKey = () => '1';
