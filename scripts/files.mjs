/**
 * File helpers that several scripts share. Uses bare Node, because `prepare.mjs` needs it before anything is
 * installed.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Lists the files below a folder: relative to it, with `/` as separator, in a fixed order. Returns none if
 * the folder does not exist. Leaves out folders for whose relative name `isSkipped` returns true.
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

/** Whether a folder holds what tools make, by its relative name. For `filesBelow`. */
export const isGenerated = (name) => /(?:^|\/)(?:\.git|node_modules|dist|\.waltrail|coverage)$/.test(name);

/**
 * Files of `src/` outside the page from which the page imports values. They import nothing. Without them,
 * page and server would each need a copy (decision 83).
 */
export const SHARED_WITH_PAGE = ['change-text.ts', 'zone-offset.ts'];

/**
 * Hashes texts or bytes in the given order. It takes contents and not times, because git and archives set
 * times as they please.
 */
export function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** Reads a file as text; undefined if it cannot be read. */
export function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
