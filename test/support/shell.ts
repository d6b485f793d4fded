import { spawn } from 'node:child_process';
import { until } from './until.ts';

/** What commands that were typed into a shell have done. */
export interface Typed {
  /** What they wrote, to either stream. */
  readonly output: string;
  /** The commands that failed, as `exit code: command`. */
  readonly failed: readonly string[];
}

/** A bash that keeps its variables and functions between blocks of commands, like a terminal. */
export interface Shell extends AsyncDisposable {
  /** Runs commands one after the other, also after one has failed. Throws after two minutes. */
  type(commands: string): Promise<Typed>;
}

const LIMIT_MS = 120_000;
const END = 'the block has ended';
const FAILED = 'the command failed: ';

/** Starts a shell in `folder` with a clean environment except for the given variables. */
export function openShell(folder: string, environment: Readonly<Record<string, string>>): Shell {
  const bash = spawn('bash', ['--noprofile', '--norc'], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that its background jobs end with it.
    detached: true,
  });
  let output = '';
  for (const stream of [bash.stdout, bash.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => bash.on('close', () => resolve()));
  bash.stdin.write(`exec 2>&1\nset -E\ntrap 'printf "\\n${FAILED}%d: %s\\n" $? "$BASH_COMMAND"' ERR\n`);
  return {
    type: async (commands) => {
      output = '';
      // The commands read nothing: their input would be the rest of what is typed.
      bash.stdin.write(`{\n${commands}\n} < /dev/null\nprintf '\\n${END}\\n'\n`);
      const isDone = (): boolean => {
        if (bash.exitCode !== null) throw new Error('the shell has ended');
        return output.includes(`\n${END}\n`);
      };
      await until(`the end of:\n${commands}`, isDone, LIMIT_MS).catch((error: Error) => {
        throw new Error(`${error.message}\n${output}`, { cause: error });
      });
      const lines = output.slice(0, output.indexOf(`\n${END}\n`)).split('\n');
      return {
        output: lines.filter((line) => !line.startsWith(FAILED)).join('\n'),
        failed: lines.filter((line) => line.startsWith(FAILED)).map((line) => line.slice(FAILED.length)),
      };
    },
    [Symbol.asyncDispose]: async () => {
      try {
        process.kill(-bash.pid!, 'SIGKILL');
      } catch {
        // It has ended.
      }
      await ended;
    },
  };
}
