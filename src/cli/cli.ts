#!/usr/bin/env node
import { isWaltrailError, type WaltrailError } from '../errors.js';
import { readSettings, type Settings } from '../settings.js';
import { readVersion } from '../version.js';

/** What a command gets: its own arguments, where to print, and the settings once it needs them. */
export interface CommandContext {
  readonly args: readonly string[];
  readonly write: (text: string) => void;
  /** Read when called, so that `--help` answers in a broken environment too. Throws SETTINGS_INVALID. */
  readonly settings: () => Settings;
}

interface Command {
  readonly summary: string;
  /** Resolves with the exit code. Rooms are imported when they are needed: `--help` stays quick. */
  readonly run: (context: CommandContext) => Promise<number>;
}

/** Every command of `waltrail`; the usage text is made from this table. */
const COMMANDS: Readonly<Record<string, Command>> = {
  start: {
    summary: 'run the daemon; with nothing configured, on a sample CRM of its own',
    run: async (context) => (await import('./start.js')).startCommand(context),
  },
  plan: {
    summary: 'show what apply would do to the source; changes nothing',
    run: async ({ args, settings, write }) =>
      withoutArguments('plan', args) ??
      (await import('./plan.js')).planCommand({ settings: settings(), write }),
  },
  apply: {
    summary: 'prepare the source: publication and replica identity',
    run: async ({ args, settings, write }) =>
      withoutArguments('apply', args) ??
      (await import('./plan.js')).applyCommand({ settings: settings(), write }),
  },
  gaps: {
    summary: 'list what the trail may lack, and let capture go on after it',
    run: async ({ args, settings, write }) =>
      (await import('./gaps.js')).gapsCommand({ settings, args, write }),
  },
  skip: {
    summary: 'as a last resort, pass over the one transaction that capture cannot store',
    run: async ({ args, settings, write }) =>
      (await import('./skip.js')).skipCommand({ settings, args, write }),
  },
  token: {
    summary: 'create, list and revoke API tokens',
    run: async ({ args, settings, write }) => {
      await (await import('./token.js')).tokenCommand({ settings: settings(), args, write });
      return 0;
    },
  },
};

const EXIT_FAILED = 1;
/** As of most Unix tools: the command line itself was wrong. */
const EXIT_USAGE = 2;
const LINGER_MS = 3000;
const USAGE_CODES: readonly string[] = ['CLI_USAGE', 'TOKEN_ARGUMENTS_INVALID'];

// Whoever read it may be gone (`| head`, a closed terminal); that must not end a daemon in the middle of its stop.
process.stdout.on('error', () => undefined);
process.exitCode = await main(process.argv.slice(2));
// A connection that does not close must not keep a stopped daemon alive; when all is closed this waits for nothing.
setTimeout(() => process.exit(), LINGER_MS).unref();

async function main([name, ...args]: readonly string[]): Promise<number> {
  const write = (text: string): void => void process.stdout.write(text);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    write(usage());
    return name === undefined ? EXIT_USAGE : 0;
  }
  if (name === '--version' || name === '-v') {
    write(`waltrail ${readVersion()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`waltrail: "${name}" is not a command. Run \`waltrail --help\` for the list.\n`);
    return EXIT_USAGE;
  }
  try {
    return await command.run({ args, write, settings: readSettings });
  } catch (error) {
    if (!isWaltrailError(error)) {
      process.stderr.write(
        `waltrail: unexpected error, please report it: ${(error as Error).stack ?? String(error)}\n`,
      );
      return EXIT_FAILED;
    }
    process.stderr.write(sentence(error));
    return USAGE_CODES.includes(error.code) ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** What is wrong and what to do: on one line, or one under the other where the error itself has several. */
function sentence({ message, remedy }: WaltrailError): string {
  const separator = message.includes('\n') || remedy.includes('\n') ? '\n' : ' ';
  return `waltrail: ${message}${separator}${remedy}\n`;
}

/** Zero for `--help`, undefined when the command may run. */
function withoutArguments(name: string, args: readonly string[]): number | undefined {
  const [first] = args;
  if (first === undefined) return undefined;
  if (first === '--help' || first === '-h') {
    process.stdout.write(`waltrail ${name}: ${COMMANDS[name]!.summary}\n`);
    return 0;
  }
  process.stderr.write(`waltrail: ${name} takes no arguments, but got "${first}".\n`);
  return EXIT_USAGE;
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)}${summary}`);
  return `waltrail ${readVersion()}: an audit trail for PostgreSQL applications

Usage: waltrail <command> [options]

${lines.join('\n')}

waltrail <command> --help says more about a command; --version prints the version.
`;
}
