import os from 'node:os';
import path from 'node:path';

/** What is tested; test/faults/guards.mjs names copies with a guard less. */
const DIST = process.env.WALTRAIL_TEST_DIST ?? path.resolve(import.meta.dirname, 'dist');

/**
 * Tests import from `src/` for their types and run what ships: the mapper points every such import at the
 * same file under `dist/`, which is built before (decision 1). Worker threads and decorators are then the
 * real ones.
 */
const common = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  // `src` is watched, and is what `--watch`, `-o` and `--findRelatedTests` look for changes in.
  roots: ['<rootDir>/test', '<rootDir>/src'],
  dependencyExtractor: '<rootDir>/test/support/dependencies.mjs',
  setupFiles: ['<rootDir>/test/support/refuse-unbuilt.mjs'],
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
};

/**
 * One project for each thing that specs need before they run. Jest calls the global setup only of those
 * projects that have a spec in the run. `--selectProjects unit` runs one project alone. Patterns begin with
 * any folder, because the path of the clone may hold characters that have a meaning in a pattern.
 * @type {import('jest').Config}
 */
export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['**/test/unit/**/*.spec.ts'],
      globalSetup: '<rootDir>/test/support/setup-unit.mjs',
    },
    {
      ...common,
      displayName: 'page',
      testMatch: ['**/test/web/page-*.spec.ts'],
      globalSetup: '<rootDir>/test/support/setup-page.mjs',
    },
    {
      ...common,
      displayName: 'postgres',
      testMatch: ['**/test/{pg,faults}/**/*.spec.ts', '**/test/web/daemon.spec.ts'],
      setupFiles: [...common.setupFiles, '<rootDir>/test/support/borrow-postgres.mjs'],
      globalSetup: '<rootDir>/test/support/setup-postgres.mjs',
      globalTeardown: '<rootDir>/test/support/teardown-postgres.mjs',
    },
  ],
  // Jest reads this here only, for all projects.
  testTimeout: 300_000,
  // Much of a run is waiting for what happens elsewhere.
  maxWorkers: Math.min(2 * os.availableParallelism(), 8),
  // The modules of a spec are never collected, so a worker that ran forty specs holds 1.6 GB. Its end took up
  // to half a second on a busy machine, which Jest reports as a failure to exit gracefully.
  workerIdleMemoryLimit: '500MB',
};
