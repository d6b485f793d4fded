const NAMES: Readonly<Record<string, string>> = { d: 'default', f: 'full', i: 'index', n: 'nothing' };

/**
 * Returns the word of ALTER TABLE for a replica identity, which pg_class and Relation messages write as a
 * letter.
 */
export const identityName = (identity: string): string => NAMES[identity] ?? identity;
