import type { TableFacts } from './facts.js';

/** Words of names of tables that say who may do what, or how things are set. */
const WORDS: ReadonlySet<string> = new Set([
  ...['role', 'roles', 'permission', 'permissions', 'privilege', 'privileges', 'grant', 'grants'],
  ...['membership', 'memberships', 'setting', 'settings', 'config', 'configs', 'configuration'],
  ...['configurations', 'feature', 'features', 'flag', 'flags', 'policy', 'policies', 'rule', 'rules'],
]);
/** Whatever stands before: of what happened, there is no beginning to tell. */
const HAPPENED = /(?:^|_)(?:logs?|events?|history|histories|audits?|versions?|changes|archive)$/;

/** Whether the name of a table says that its rows are worth a baseline. */
export const isWorthBaseline = ({ table }: TableFacts): boolean =>
  !HAPPENED.test(table.name) && table.name.split('_').some((word) => WORDS.has(word));
