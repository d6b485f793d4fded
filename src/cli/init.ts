import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import { draftYaml, type Draft } from '../init/draft.js';
import { withClient } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { sqlStateOf } from '../pg/sql-state.js';
import { urlProblem } from '../pg/url.js';
import type { Settings, SettingsOptions } from '../settings.js';
import { defineCommand, usageError, type Command } from './command.js';

const DEFAULT_FILE = 'waltrail.yaml';
/** Longest time that a statement on the source may take. */
const STATEMENT_LIMIT_MS = 5_000;
/**
 * Number of tables from which progress is printed. With fewer tables, reading takes less than a moment.
 */
const MANY_TABLES = 200;

/** `waltrail init`: writes a first YAML for a database. */
export const init: Command = defineCommand({
  usage: '[--source URL] [--out FILE]',
  help: `Reads the catalog of a database and writes a first YAML: an entity type and a name for each table, labels, people, audit
tables, the tenant, secrets, and columns to ignore. Comments give the reason for each choice.
Reads no row of a table, takes no lock, and changes nothing. An existing file is never overwritten.

  --source URL   the database (default: WALTRAIL_SOURCE_URL, which keeps the password out of the process list)
  --out FILE     where to write (default: ${DEFAULT_FILE})
`,
  options: { source: { type: 'string' }, out: { type: 'string' } },
  json: true,
  run: async ({ values, settings, progress, answer }) => {
    const url = sourceUrl(values.source, settings);
    const file = path.resolve(values.out ?? DEFAULT_FILE);
    if (existsSync(file)) throw fileExists(file);
    const address = { url, side: 'source' } as const;
    const draft = await withClient(
      { ...address, purpose: 'init', statementTimeoutMs: STATEMENT_LIMIT_MS },
      (client) =>
        draftYaml(client, {
          progress: (step, tables) => {
            if (tables >= MANY_TABLES) progress(`waltrail init: ${step}\n`);
          },
        }),
    ).catch((error: unknown) => {
      throw isWaltrailError(error) || sqlStateOf(error) === undefined ? error : queryError(address, error);
    });
    await writeNew(file, draft.text);
    answer({ text: answerText(draft, file), data: { file, ...countsOf(draft), problems: draft.problems } });
    return 0;
  },
});

function sourceUrl(given: string | undefined, settings: (options: SettingsOptions) => Settings): string {
  if (given !== undefined) {
    const problem = urlProblem(given);
    if (problem === undefined) return given;
    throw usageError(`waltrail init: --source ${problem}.`);
  }
  const { sourceUrl: url } = settings({ sourceAlone: true });
  if (url !== undefined) return url;
  throw new WaltrailError('SETTINGS_INVALID', 'No source is set.', {
    remedy: 'Set WALTRAIL_SOURCE_URL, or give --source postgres://….',
  });
}

const fileExists = (file: string): WaltrailError =>
  new WaltrailError('INIT_FILE_EXISTS', `${file} already exists.`);

/** Writes a new file. A file that cannot be written completely is removed again. */
async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') throw fileExists(file);
    // Removes the incomplete file of a full disk. If the file could not be created, there is nothing to
    // remove.
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EIO') await rm(file, { force: true });
    throw new WaltrailError('INIT_FILE_UNWRITABLE', `${file} cannot be written (${code ?? 'no code'}).`, {
      cause: error,
    });
  }
}

function countsOf({ proposal, detail }: Draft) {
  const { tables, secrets, people, witnesses, tenant, leftOut } = proposal;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    detail,
    tables: tables.length,
    named: tables.filter(({ name }) => name !== null).length,
    labels: sum(tables.map(({ labels }) => labels.length)),
    secrets: sum(secrets.map(({ columns }) => columns.length)),
    people: people.map(({ table }) => table),
    witnesses: witnesses.map(({ table }) => table),
    tenant: tenant?.column ?? null,
    leftOut: leftOut.map(({ table }) => table),
  };
}

function answerText(draft: Draft, file: string): string {
  const { tables, named, labels, secrets, people, witnesses, tenant, leftOut } = countsOf(draft);
  const lines = [
    `Wrote ${file}`,
    `  ${tables} tables, ${named} with a name for their rows; ${labels} columns shown by names from other tables`,
    `  ${secrets} columns with secrets are redacted`,
    `  people: ${people.join(', ') || 'no table was found'}`,
    `  audit tables that name who made a change: ${witnesses.join(', ') || 'none was found'}`,
    `  tenant: ${tenant ?? 'none was found'}`,
    `  ${leftOut.length} tables are left out, each with its reason`,
    ...(draft.detail === 'everything' ? [] : [LESS[draft.detail]]),
    ...draft.unread.map((sentence) => `  ${sentence}`),
    ...(draft.problems.length === 0
      ? []
      : ['', 'Capture cannot start before these are solved (waltrail plan lists them too):']),
    ...draft.problems.map(({ code, message, remedy }) => `- ${code}: ${message}\n  ${remedy}`),
    '',
    'Read it, then:',
    `  export WALTRAIL_CONFIG=${quoted(file)}`,
    '  export WALTRAIL_SOURCE_URL=…   # the URL of the database that was just read',
    '  export WALTRAIL_TRAIL_URL=…    # a separate database for the trail',
    '  waltrail plan     # shows what would be done to the source',
    '  waltrail apply    # does it',
    '  waltrail start    # begins the trail',
  ];
  return `${lines.join('\n')}\n`;
}

const LESS: Readonly<Record<'rules' | 'names', string>> = {
  rules: '  the file has the rules without their reasons, because a YAML may have at most 1 MiB',
  names: '  the file has only the names of most tables, because a YAML may have at most 1 MiB',
};

const quoted = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
