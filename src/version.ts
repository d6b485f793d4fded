import { readFileSync } from 'node:fs';

/** Returns Waltrail's version from package.json. Works from dist/ and from src/. */
export function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
