import path from 'node:path';

/** What is tested; test/faults/guards.mjs names copies with a guard less. */
const DIST = process.env.WALTRAIL_TEST_DIST ?? path.resolve(import.meta.dirname, 'dist');

/**
 * Tests import from `src/` for their types and run what ships: the mapper points every such import at the
 * same file under `dist/`, which `npm test` has just built. Worker threads and decorators are then the real ones.
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    // The page is a bundle in dist/: its pure modules run from their sources, whose imports end in .ts.
    '^((?:\\.\\./)+src/web/.*)\\.js$': '$1',
    '^(?:\\.\\./)+src/(.*)\\.js$': `${DIST}/$1.js`,
    '^(\\.{1,2}/(?:.*/)?[^/]+)\\.ts$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: { target: 'es2023', parser: { syntax: 'typescript', decorators: true }, keepClassNames: true },
      },
    ],
  },
  maxWorkers: 2,
  testTimeout: 120_000,
};
