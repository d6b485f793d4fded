const NAMES: Readonly<Record<string, string>> = { d: 'default', f: 'full', i: 'index', n: 'nothing' };

/** What ALTER TABLE calls a replica identity, which is a letter in pg_class and in Relation messages. */
export const identityName = (identity: string): string => NAMES[identity] ?? identity;
