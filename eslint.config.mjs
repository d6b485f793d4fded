import tseslint from 'typescript-eslint';

/**
 * Who may import whom (src/README.md draws it). A room may import itself, the three base files and the rooms
 * listed here; everything else is an error. Changing this table is a design decision: write it down in DECISIONS.md.
 */
const BASE = ['errors', 'settings', 'log'];
const ROOMS = {
  pg: [],
  pgoutput: ['pg/lsn', 'pg/text', 'pg/words'],
  source: ['pg', 'pgoutput'],
  tracking: ['pg'],
  pipeline: ['pg', 'pgoutput', 'tracking'],
  trail: ['pg', 'pipeline', 'tracking/rules'],
  capture: ['pg', 'pgoutput', 'source', 'tracking', 'pipeline', 'trail'],
  exports: ['pg', 'trail'],
  admin: ['pg', 'trail', 'exports', 'tracking', 'pipeline'],
  embedded: ['pg'],
};

const importRule = Object.entries(ROOMS).map(([room, allowed]) => {
  const base = room === 'pgoutput' ? ['errors'] : BASE;
  const inside = [
    ...base.map((file) => `${file}\\.js$`),
    ...allowed.map((path) => (path.includes('/') ? `${path}\\.js$` : `${path}/`)),
  ];
  return {
    files: [`src/${room}/**/*.ts`],
    ignores: ['src/**/*.module.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^\\.\\./(?!\\.\\./)(?!${inside.join('|')})`,
              message: `src/${room} may not import this room; see src/README.md, "The import rule".`,
            },
            ...(room === 'admin'
              ? []
              : [{ group: ['@nestjs/*'], message: 'Nest appears only in main.ts, admin/ and *.module.ts.' }]),
          ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.waltrail/**', 'coverage/**'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './test/tsconfig.json', './src/web/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  ...importRule,
  {
    files: ['src/**/*.ts'],
    ignores: ['src/settings.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'settings.ts is the only reader of process.env.' },
      ],
    },
  },
  {
    // One door: every connection to source and trail is opened, and its search_path pinned, in pg/connect.ts.
    files: ['src/**/*.ts'],
    ignores: ['src/pg/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "ImportDeclaration[source.value='pg'][importKind='value']",
          message:
            'Connections are opened in src/pg/connect.ts, which pins their search_path; import types only.',
        },
        {
          selector: 'ImportDeclaration[source.value=/^(pg-logical-replication|pg-pool|postgres)$/]',
          message:
            'This library connects by itself; source/replication.ts alone may use it, and pins what it opens.',
        },
      ],
    },
  },
  { files: ['**/*.mjs', '**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
);
