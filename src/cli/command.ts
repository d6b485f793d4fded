import { parseArgs, type ParseArgsConfig } from 'node:util';
import { WaltrailError } from '../errors.js';
import type { Settings, SettingsOptions } from '../settings.js';

export type Options = NonNullable<ParseArgsConfig['options']>;

/** The answer of a command: text for people, and the same as data for `--json`. */
export interface Answer {
  readonly text: string;
  /** What `JSON.stringify` prints. */
  readonly data: unknown;
}

/** Asks a person a question, and resolves with whether the answer is yes. */
export type Confirm = (question: string) => Promise<boolean>;

/** The environment of a command. `O` are its options as {@link Command.options} declares them. */
export interface CommandContext<O extends Options = Options> {
  /** The options of the command line, as `parseArgs` types them. */
  readonly values: ReturnType<typeof parseArgs<{ options: O }>>['values'];
  /** The arguments of the command line that are not options. */
  readonly arguments: readonly string[];
  /**
   * Reads the settings. They are read only when this is called, so `--help` works with wrong settings, too.
   * Throws SETTINGS_INVALID.
   */
  readonly settings: (options?: SettingsOptions) => Settings;
  /** Prints to standard error what a long command is doing. Standard output has only the answer. */
  readonly progress: (text: string) => void;
  /** Prints progress and explanations for people. Prints nothing with `--json`. */
  readonly say: (text: string) => void;
  /** Prints the answer as text or as JSON, as requested. */
  readonly answer: (answer: Answer) => void;
  /** Asks the user. Null if there is no terminal, or if a program reads the answer. */
  readonly confirm: Confirm | null;
}

/** One command of `waltrail`. */
export interface Command<O extends Options = Options> {
  /** Options and arguments after the command's name, such as `[--accept]`. Empty if it takes none. */
  readonly usage: string;
  /** What `--help` prints after the summary and the usage, ending with a line break. Empty for nothing. */
  readonly help: string;
  /** Options for `parseArgs`. Every command also has `--help`, and `--json` if `json` is true. */
  readonly options: O;
  /** Number of arguments that are not options. If left out, the command takes none. */
  readonly arguments?: { readonly least: number; readonly most: number };
  /** Whether it can print its answer as JSON. */
  readonly json: boolean;
  /** Runs the command and resolves with the exit code. */
  run(context: CommandContext<O>): Promise<number>;
}

/**
 * Checks the types of a command where it is defined. The table of commands does not know the options of each
 * command.
 */
export const defineCommand = <const O extends Options>(command: Command<O>): Command => command;

/**
 * Creates the error for a mistake in the command line. The process then exits with 2, like most Unix tools.
 */
export const usageError = (message: string, cause?: unknown): WaltrailError =>
  new WaltrailError('CLI_USAGE', message, { cause });

/** The parts of the process that {@link runCommand} needs. */
export interface Surroundings {
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly settings: (options?: SettingsOptions) => Settings;
  /** Null: there is no terminal. */
  readonly confirm: Confirm | null;
}

/**
 * Parses the arguments after a command's name and runs the command. `--help`, `--json` and mistakes are
 * handled alike for every command. Resolves with the exit code. Throws CLI_USAGE and what the command throws.
 */
export async function runCommand(
  options: Surroundings & {
    /** The name as typed: `gaps`, `token create`. */
    readonly name: string;
    readonly summary: string;
    readonly command: Command;
    readonly args: readonly string[];
  },
): Promise<number> {
  const { name, command, write } = options;
  const { values, positionals } = parse(options);
  if (values['help'] === true) {
    write(helpOf(options));
    return 0;
  }
  const { least, most } = command.arguments ?? NO_ARGUMENTS;
  if (positionals.length < least || positionals.length > most) throw wrongCount(name, command, positionals);
  const asJson = values['json'] === true;
  return command.run({
    values,
    arguments: positionals,
    settings: options.settings,
    progress: options.writeError,
    say: asJson ? () => undefined : write,
    answer: ({ text, data }) => write(asJson ? `${JSON.stringify(data, null, 2)}\n` : text),
    confirm: asJson ? null : options.confirm,
  });
}

function parse(options: {
  readonly name: string;
  readonly command: Command;
  readonly args: readonly string[];
}) {
  const { name, command, args } = options;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...command.options,
        ...(command.json ? { json: { type: 'boolean' } as const } : {}),
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    });
  } catch (error) {
    // "Unknown option '--prot'. To specify a positional argument …": the first sentence is enough.
    const [first] = (error as Error).message.split(/\. (?=[A-Z])/);
    throw usageError(`waltrail ${name}: ${first!.replace(/\.$/, '')}.`, error);
  }
}

function wrongCount(name: string, command: Command, positionals: readonly string[]): WaltrailError {
  const { most } = command.arguments ?? NO_ARGUMENTS;
  if (most === 0) return usageError(`waltrail ${name}: unknown argument "${positionals[0]!}".`);
  return usageError(
    `waltrail ${name} takes ${most === 1 ? 'one argument' : `at most ${most} arguments`}: ${command.usage}.`,
  );
}

const NO_ARGUMENTS = { least: 0, most: 0 } as const;

function helpOf({
  name,
  summary,
  command,
}: {
  readonly name: string;
  readonly summary: string;
  readonly command: Command;
}): string {
  const usage = ['waltrail', name, command.usage, command.json ? '[--json]' : ''].filter(
    (part) => part !== '',
  );
  return `waltrail ${name}: ${summary}\n\nUsage: ${usage.join(' ')}\n${command.help === '' ? '' : `\n${command.help}`}`;
}
