const NAMES: Readonly<Record<string, string>> = { d: 'default', f: 'full', i: 'index', n: 'nothing' };

/** What ALTER TABLE calls a replica identity; `identity` as pg_class.relreplident and a Relation message have it. */
export const identityName = (identity: string): string => NAMES[identity] ?? identity;
