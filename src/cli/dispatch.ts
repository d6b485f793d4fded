import { isWaltrailError, type WaltrailError } from '../errors.js';
import { readVersion } from '../version.js';
import { runCommand, type Surroundings } from './command.js';
import { COMMANDS, commandsBelow, findCommand } from './commands.js';

const EXIT_FAILED = 1;
/** Exit code for a mistake in the command line itself, as with most Unix tools. */
const EXIT_USAGE = 2;

/**
 * Runs a command line. Its arguments are given without `node` and the script. Resolves with the exit code and
 * never rejects.
 */
export async function dispatch(argv: readonly string[], terminal: Surroundings): Promise<number> {
  const { write } = terminal;
  const [first] = argv;
  if (first === undefined || ['--help', '-h', 'help'].includes(first)) {
    write(usage());
    return first === undefined ? EXIT_USAGE : 0;
  }
  if (first === '--version' || first === '-v') {
    write(`waltrail ${readVersion()}\n`);
    return 0;
  }
  const found = findCommand(argv);
  if (found === undefined) return unknownCommand(argv, terminal);
  try {
    const { summary, load } = COMMANDS[found.name]!;
    return await runCommand({ ...found, ...terminal, summary, command: await load() });
  } catch (error) {
    terminal.writeError(argv.includes('--json') ? errorJson(error) : errorText(error));
    return isWaltrailError(error) && error.code === 'CLI_USAGE' ? EXIT_USAGE : EXIT_FAILED;
  }
}

/**
 * Answers arguments that are not a command. If they name a group of commands, such as `token`, it lists the
 * group.
 */
function unknownCommand([first, second]: readonly string[], { write, writeError }: Surroundings): number {
  const group = commandsBelow(first!);
  const isHelp = second === undefined || ['--help', '-h', 'help'].includes(second);
  if (group.length > 0 && isHelp) {
    write(`waltrail ${first!}\n\n${table(group)}\n`);
    return second === undefined ? EXIT_USAGE : 0;
  }
  const [typed, help] = group.length > 0 ? [`${first!} ${second!}`, `${first!} --help`] : [first!, '--help'];
  writeError(`waltrail: "${typed}" is not a command. Run \`waltrail ${help}\` for the list.\n`);
  return EXIT_USAGE;
}

/**
 * Formats what is wrong and what to do, on one line. If the error has several lines, the remedy has its own.
 */
function errorText(error: unknown): string {
  if (!isWaltrailError(error)) return `waltrail: unexpected error, please report it: ${stackOf(error)}\n`;
  const { message, remedy }: WaltrailError = error;
  if (message.includes('\n') || remedy.includes('\n')) return `waltrail: ${message}\n${remedy}\n`;
  // A place in a file with what is wrong there has no full stop.
  return `waltrail: ${message}${/[.!?:]$/.test(message) ? '' : '.'} ${remedy}\n`;
}

/** Formats the same for programs, as one JSON document. */
function errorJson(error: unknown): string {
  const { code, message, remedy } = isWaltrailError(error)
    ? error
    : { code: null, message: stackOf(error), remedy: 'Please report it.' };
  return `${JSON.stringify({ error: { code, message, remedy } }, null, 2)}\n`;
}

const stackOf = (error: unknown): string => (error as Error).stack ?? String(error);

function usage(): string {
  return `waltrail ${readVersion()}: an audit trail for PostgreSQL applications

Usage: waltrail <command> [options]

${table(commandsBelow(''))}

waltrail <command> --help explains a command; waltrail --version prints the version.
`;
}

function table(commands: readonly (readonly [name: string, summary: string])[]): string {
  const width = Math.max(...commands.map(([name]) => name.length));
  return commands.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
}
