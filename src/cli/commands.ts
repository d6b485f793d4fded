import type { Command } from './command.js';

/** A command in the list that `waltrail --help` prints. */
export interface ListedCommand {
  readonly summary: string;
  /** Imports the command and its dependencies. Called only to run the command, so `--help` stays fast. */
  readonly load: () => Promise<Command>;
}

/** Every command of `waltrail`, by its name as it is typed. */
export const COMMANDS: Readonly<Record<string, ListedCommand>> = {
  start: {
    summary: 'run the daemon; without configuration, on its own sample CRM',
    load: async () => (await import('./start.js')).start,
  },
  init: {
    summary: 'write a YAML for a database, from its catalog',
    load: async () => (await import('./init.js')).init,
  },
  plan: {
    summary: 'show what apply would do to the source; changes nothing',
    load: async () => (await import('./plan.js')).plan,
  },
  apply: {
    summary: 'prepare the source: publication and replica identity',
    load: async () => (await import('./apply.js')).apply,
  },
  drop: {
    summary: 'remove from the source everything that apply and capture created there',
    load: async () => (await import('./drop.js')).drop,
  },
  doctor: {
    summary: 'check what is wrong, or may go wrong, in source and trail',
    load: async () => (await import('./doctor.js')).doctor,
  },
  status: {
    summary: 'show the lag of capture, who captures, and open gaps',
    load: async () => (await import('./status.js')).status,
  },
  reload: {
    summary: 'make running daemons read the changed YAML, without a restart',
    load: async () => (await import('./reload.js')).reload,
  },
  explain: {
    summary: 'show which keys of the YAML decide what an entry says, for a made-up change or a stored entry',
    load: async () => (await import('./explain.js')).explain,
  },
  gaps: {
    summary: 'list gaps, where changes may be missing from the trail; resume capture after them',
    load: async () => (await import('./gaps.js')).gaps,
  },
  skip: {
    summary: 'as a last resort, skip the one transaction that capture cannot store',
    load: async () => (await import('./skip.js')).skip,
  },
  verify: {
    summary: 'compare the counters and indexes of the trail with its entries',
    load: async () => (await import('./verify.js')).verify,
  },
  'token create': {
    summary: 'create an API token or a sign-in code',
    load: async () => (await import('./token.js')).tokenCreate,
  },
  'token list': {
    summary: 'list the API tokens',
    load: async () => (await import('./token.js')).tokenList,
  },
  'token revoke': {
    summary: 'revoke every API token with a name and end their sessions, within seconds',
    load: async () => (await import('./token.js')).tokenRevoke,
  },
};

/** Finds the command whose name the arguments begin with, and returns the arguments after it. */
export function findCommand(
  argv: readonly string[],
): { readonly name: string; readonly args: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(' ');
    if (argv.length >= length && Object.hasOwn(COMMANDS, name)) return { name, args: argv.slice(length) };
  }
  return undefined;
}

/** Returns the commands whose name begins with a word, such as `token`. Returns all for an empty word. */
export const commandsBelow = (word: string): (readonly [name: string, summary: string])[] =>
  Object.entries(COMMANDS)
    .filter(([name]) => word === '' || name.startsWith(`${word} `))
    .map(([name, { summary }]) => [name, summary] as const);
