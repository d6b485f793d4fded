import type { Confirm } from '../../src/cli/command.js';
import { dispatch } from '../../src/cli/dispatch.js';
import { readSettings } from '../../src/settings.js';

export interface CommandResult {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a command line of `waltrail` in this process. Without `confirm` there is no terminal. */
export async function waltrail(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  { confirm = null }: { readonly confirm?: Confirm | null } = {},
): Promise<CommandResult> {
  const result = { output: '', errors: '' };
  const code = await dispatch(words, {
    write: (text) => (result.output += text),
    writeError: (text) => (result.errors += text),
    settings: (options) => readSettings(environment, options),
    confirm,
  });
  return { code, ...result };
}
