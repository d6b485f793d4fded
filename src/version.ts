import { readFileSync } from 'node:fs';

/** Waltrail's version, from package.json; from dist/ and from src/ alike. */
export function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
