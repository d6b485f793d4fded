import tseslint from 'typescript-eslint';

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
      // Comments wrap like the code, which Prettier wraps.
      'max-len': ['error', { code: 1_000, comments: 110, ignoreUrls: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // Who may import whom in src/ otherwise: scripts/imports.mjs.
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/main.ts', 'src/admin/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@nestjs/*'], message: 'Nest appears only in main.ts and admin/.' }] },
      ],
    },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
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
    files: ['src/**/*.{ts,tsx}'],
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
            'This library opens connections of its own. Only source/replication.ts may use it, and pins what it opens.',
        },
      ],
    },
  },
  { files: ['**/*.mjs', '**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
);
