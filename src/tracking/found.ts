import type { CatalogPublication, CatalogTable } from './catalog.js';

/**
 * The replica identity that a table had before apply changed it, where that was not `default`. `full`: it had
 * that already, and keeps it.
 */
export type FoundIdentity = 'nothing' | 'full' | `index ${string}`;

/** What apply found of a source that it has changed since. It stands in the comment of the publication. */
export interface Found {
  /** By canonical name of the table or partition. */
  readonly identities: ReadonlyMap<string, FoundIdentity>;
  /** The publication was somebody's before it was Waltrail's. */
  readonly adopted: boolean;
}

export const NOTHING_FOUND: Found = { identities: new Map(), adopted: false };

const LINE = /^Waltrail found: (\{.*\})$/m;
const IDENTITY = /^(?:nothing|full|index .+)$/s;

/** Reads the comment of a publication; null: it is not known what was found, as of earlier releases. */
export function foundIn({ comment }: Pick<CatalogPublication, 'comment'>): Found | null {
  const json = LINE.exec(comment ?? '')?.[1];
  if (json === undefined) return null;
  try {
    const { identities = {}, adopted = false } = JSON.parse(json) as {
      readonly identities?: unknown;
      readonly adopted?: unknown;
    };
    const read = Object.entries(identities ?? {}).filter((entry): entry is [string, FoundIdentity] =>
      IDENTITY.test(String(entry[1])),
    );
    return { identities: new Map(read), adopted: adopted === true };
  } catch {
    // Somebody has edited it.
    return null;
  }
}

/** The line of the comment. */
export function foundLine({ identities, adopted }: Found): string {
  const sorted = [...identities].sort(([one], [other]) => (one < other ? -1 : 1));
  const members = {
    ...(sorted.length === 0 ? {} : { identities: Object.fromEntries(sorted) }),
    ...(adopted ? { adopted } : {}),
  };
  return `Waltrail found: ${JSON.stringify(members)}`;
}

/** Puts the line into a comment, or out of it. */
export function withFoundLine(comment: string, found: Found | null): string {
  const rest = comment
    .replace(LINE, '')
    .replaceAll(/\n{2,}/g, '\n')
    .replace(/\n$/, '');
  return found === null ? rest : `${rest}${rest === '' ? '' : '\n'}${foundLine(found)}`;
}

/** The identity of a table as it is remembered; undefined: `default`. */
export function identityOf({ replicaIdentity, keys }: CatalogTable): FoundIdentity | undefined {
  switch (replicaIdentity) {
    case 'default':
      return undefined;
    case 'index': {
      const index = keys.find(({ identity }) => identity)?.index;
      // One that PostgreSQL no longer takes: it is as if there were none.
      return index === undefined ? 'nothing' : `index ${index}`;
    }
    default:
      return replicaIdentity;
  }
}
