import { defineConfig } from 'vite';

/**
 * Builds the page into dist/web. Relative URLs, so that a proxy may serve it under any path; no data: URLs
 * and nothing inline, so that it runs under the Content-Security-Policy `default-src 'self'`.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/web',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    sourcemap: false,
  },
});
