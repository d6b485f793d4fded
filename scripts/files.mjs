/**
 * What several scripts ask of files. Bare Node, because `prepare.mjs` needs it before anything is installed.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Files below a folder, relative to it, with `/` and in a fixed order; none where it does not exist. Folders
 * of whose relative name `isSkipped` says so are left out.
 */
export function filesBelow(folder, isSkipped = () => false, below = '') {
  const place = path.join(folder, below);
  if (!existsSync(place)) return [];
  return readdirSync(place, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (!entry.isDirectory()) return [name];
      return isSkipped(name) ? [] : filesBelow(folder, isSkipped, name);
    });
}

/** Of texts or bytes in their order. Contents, not times: git and archives set times as they please. */
export function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** Undefined where it cannot be read. */
export function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
