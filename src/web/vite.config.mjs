import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

const FOLDER = path.resolve(import.meta.dirname, '../../dist/web');
/** Smaller files fit into one packet anyway. */
const SMALL_BYTES = 1_024;

/** Writes a compressed copy of each larger file, which the server offers (admin/page.ts). */
function compressFiles() {
  return {
    name: 'compress-files',
    closeBundle() {
      for (const name of readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })) {
        const file = path.join(FOLDER, name);
        if (!/\.(?:js|css|html|svg)$/.test(name)) continue;
        const content = readFileSync(file);
        if (content.length < SMALL_BYTES) continue;
        writeFileSync(`${file}.br`, brotliCompressSync(content));
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/**
 * Builds the page into dist/web. URLs are relative, so that a proxy may serve the page under any path. There
 * are no data: URLs and nothing inline: the Content-Security-Policy is `default-src 'self'`.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [compressFiles()],
  // The shared worker is a separate file, which the Content-Security-Policy allows like any script.
  worker: { format: 'es' },
  build: {
    outDir: FOLDER,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    sourcemap: false,
  },
});
