import type { Catalog } from '../tracking/catalog.js';
import { ownerOf } from '../tracking/publication-mark.js';

const PUBLICATION = 'waltrail';
/** Longest name of a source. A publication with event triggers has less room. */
const MAX_NAME = 40;

/** Returns a name for the source: that of its database, in the characters that a source name may have. */
export function sourceName({ server }: Catalog): string {
  const name = server.database
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '_')
    .replace(/^[^a-z]+/, '')
    .slice(0, MAX_NAME);
  return name === '' ? 'source' : name;
}

/** Returns a publication name that is free: `waltrail`, or with the name of the source after it. */
export function publicationName({ publications }: Catalog, source: string): string {
  const isTaken = (name: string): boolean => {
    const existing = publications.find((publication) => publication.name === name);
    return existing !== undefined && ownerOf(existing) !== source;
  };
  const own = `${PUBLICATION}_${source.replaceAll('-', '_')}`;
  const names = [PUBLICATION, own, ...Array.from({ length: 98 }, (_, index) => `${own}_${index + 2}`)];
  return names.find((name) => !isTaken(name)) ?? own;
}
