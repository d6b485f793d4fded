import type { CatalogPublication, CatalogTable } from './catalog.js';

/**
 * The replica identity that a table had before apply changed it, if not `default`. `full`: the table had it
 * before, and keeps it.
 */
export type FoundIdentity = 'nothing' | 'full' | `index ${string}`;

/** What apply found in a source before it changed it. It is stored in the publication's comment. */
export interface Found {
  /** By canonical name of the table or partition. */
  readonly identities: ReadonlyMap<string, FoundIdentity>;
  /** Whether the publication existed before Waltrail used it. */
  readonly adopted: boolean;
}

export const NOTHING_FOUND: Found = { identities: new Map(), adopted: false };

const LINE = /^Waltrail found: (\{.*\})$/m;
const IDENTITY = /^(?:nothing|full|index .+)$/s;

/** Reads the comment of a publication. Null: the comment has no such line, as with earlier releases. */
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
    // The comment was edited by hand.
    return null;
  }
}

/** Returns the line for the comment. */
export function foundLine({ identities, adopted }: Found): string {
  const sorted = [...identities].sort(([one], [other]) => (one < other ? -1 : 1));
  const members = {
    ...(sorted.length === 0 ? {} : { identities: Object.fromEntries(sorted) }),
    ...(adopted ? { adopted } : {}),
  };
  return `Waltrail found: ${JSON.stringify(members)}`;
}

/** Adds the line to a comment, or removes it. */
export function withFoundLine(comment: string, found: Found | null): string {
  const rest = comment
    .replace(LINE, '')
    .replaceAll(/\n{2,}/g, '\n')
    .replace(/\n$/, '');
  return found === null ? rest : `${rest}${rest === '' ? '' : '\n'}${foundLine(found)}`;
}

/** Returns the identity of a table as {@link Found} stores it; undefined for `default`. */
export function identityOf({ replicaIdentity, keys }: CatalogTable): FoundIdentity | undefined {
  switch (replicaIdentity) {
    case 'default':
      return undefined;
    case 'index': {
      const index = keys.find(({ identity }) => identity)?.index;
      // Without an index that PostgreSQL accepts, the identity works like `nothing`.
      return index === undefined ? 'nothing' : `index ${index}`;
    }
    default:
      return replicaIdentity;
  }
}
