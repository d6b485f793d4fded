import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { WaltrailError } from '../errors.js';
import { attributionIssues, modifierUses, type NamesUse } from './attribution-issues.js';
import { formatPath, TrackingDocument, type KeyPath, type Problem } from './document.js';
import { extendsIssues } from './inherit.js';
import { canonicalName, isNeverTracked, isPattern, matchesTable, tableName } from './names.js';
import { pathIssues } from './name-paths.js';
import { didYouMean } from './nearest.js';
import { toConfig } from './normalize.js';
import { Places, type PlacesFile } from './places.js';
import type { TrackingConfig } from './rules.js';
import { TrackingFile } from './schema.js';
import { tenantIssues } from './tenants.js';
import { meantBranch, objectOf, schemaAt, unwrapped } from './union-branch.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks the YAML. Throws TRACKING_FILE_UNREADABLE or TRACKING_FILE_INVALID. The latter lists every
 * problem as `file:line:column` in the order of the file; `details.problems` has them one by one.
 * Synchronous, because capture calls it in the middle of the stream.
 */
export function loadConfig(options: { file: string; environment: Environment }): TrackingConfig {
  let text: string;
  try {
    text = readFileSync(options.file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new WaltrailError('TRACKING_FILE_UNREADABLE', `${options.file} cannot be read (${code}).`, {
      cause: error,
    });
  }
  return parseConfig({ text, ...options });
}

/**
 * Checks a YAML text as {@link loadConfig} does; `file` is only its name in messages. Throws
 * TRACKING_FILE_INVALID.
 */
export function parseConfig(options: {
  text: string;
  file: string;
  environment: Environment;
}): TrackingConfig {
  const document = new TrackingDocument(options.text, options.environment);
  if (document.data === undefined || document.data === null) {
    const empty = { line: 1, column: 1, message: 'the file is empty' };
    throw invalid(options.file, document.problems.length > 0 ? document.problems : [empty]);
  }
  const parsed = TrackingFile.safeParse(document.data, { error: describeType });
  const found = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => flatten(issue, document.data)),
    ...tableIssues(document.data),
    ...(parsed.success
      ? [...lookupIssues(parsed.data), ...extendsIssues(parsed.data), ...attributionIssues(parsed.data)]
      : []),
  ];
  const problems = [
    ...document.problems,
    ...found
      .filter((issue) => !document.isUnresolved(issue.path))
      .map(({ path, message, at }) => ({
        ...document.position(path, at),
        message: `${path.length === 0 ? 'the file' : formatPath(path)} ${message}`,
      })),
  ];
  if (problems.length > 0) throw invalid(options.file, problems);
  const places = new Places({ name: options.file, positionOf: positionsOf(document) });
  const config = toConfig(parsed.data!, places);
  const leading = [...tenantIssues(config), ...pathIssues(config)].map(({ path, message }) => ({
    ...document.position(path, 'key'),
    message: `${formatPath(path)} ${message}`,
  }));
  if (leading.length > 0) throw invalid(options.file, leading);
  return config;
}

/**
 * Returns the function that finds a path of the configuration in the document. The configuration has
 * canonical names of tables and exclusions, and a list where the file has a single word.
 */
function positionsOf(document: TrackingDocument): PlacesFile['positionOf'] {
  const { tables } = document.data as TrackingFile;
  const written = new Map(Object.keys(tables).map((key) => [canonicalName(key), key]));
  return (path) => {
    const [first, table, ...rest] = path;
    const inFile =
      first === 'tables' && typeof table === 'string' ? [first, written.get(table) ?? table, ...rest] : path;
    return document.position(inFile, 'key');
  };
}

/**
 * The most problems that are shown. More are usually one problem repeated, such as a bracket missing near the
 * top.
 */
const MAX_PROBLEMS = 25;

function invalid(file: string, found: readonly Problem[]): WaltrailError {
  const line = (problem: Problem): string => `${file}:${problem.line}:${problem.column}: ${problem.message}`;
  const problems = [...new Map(found.map((problem) => [line(problem), problem])).values()].sort(
    (a, b) => a.line - b.line || a.column - b.column,
  );
  const shown = problems.slice(0, MAX_PROBLEMS);
  const more = problems.length - shown.length;
  const text = [...shown.map(line), ...(more > 0 ? [`${file}: and ${more} more`] : [])].join('\n');
  return new WaltrailError('TRACKING_FILE_INVALID', text, { details: { file, problems: shown } });
}

interface Issue {
  readonly path: KeyPath;
  readonly at: 'key' | 'value';
  readonly message: string;
}

/**
 * Converts an issue of zod. For a union, the branch that was meant counts. Each unknown key gets an issue of
 * its own, at the key.
 */
function flatten(issue: z.core.$ZodIssue, data: unknown): Issue[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path, data);
    return issue.keys.map((key) => ({
      path: [...path, key],
      at: 'key',
      message: `is not a known key here.${didYouMean(key, known) || ` Known: ${known.join(', ')}.`}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    const union = schemaAt(TrackingFile, path, data);
    const meant = union && issue.errors[meantBranch(unwrapped(union), valueAt(data, path))];
    if (meant !== undefined)
      return meant.flatMap((inner) => flatten({ ...inner, path: [...path, ...inner.path] }, data));
  }
  if (issue.code === 'invalid_key') {
    return [{ path, at: 'key', message: issue.issues[0]?.message ?? issue.message }];
  }
  const at = issue.message === MISSING ? 'key' : 'value';
  return [{ path, at, message: issue.message }];
}

const MISSING = 'is missing';

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping of keys and values',
  record: 'a mapping of keys and values',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
};

/** Messages for issues that the schema has no message for. */
function describeType(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  return issue.input === undefined ? MISSING : `must be ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
}

/** Keys that the schema knows at a place of the file. */
function knownKeys(path: KeyPath, data: unknown): string[] {
  const at = objectOf(schemaAt(TrackingFile, path, data), valueAt(data, path));
  return at?._zod.def.type === 'object' ? Object.keys((at as z.core.$ZodObject)._zod.def.shape) : [];
}

const valueAt = (data: unknown, path: KeyPath): unknown =>
  path.reduce<unknown>(
    (value, step) => (value as Readonly<Record<string | number, unknown>> | null | undefined)?.[step],
    data,
  );

/**
 * Reports what only a comparison shows: a table given twice in two spellings, or both tracked and excluded.
 */
function tableIssues(data: unknown): Issue[] {
  const { tables, exclude } = data as { tables?: unknown; exclude?: unknown };
  if (typeof tables !== 'object' || tables === null) return [];
  const excluded = Array.isArray(exclude) ? exclude.filter((item) => typeof item === 'string') : [];
  const seen = new Map<string, string>();
  const issues: Issue[] = [];
  for (const key of Object.keys(tables)) {
    const name = canonicalName(key);
    if (name === undefined) continue;
    const problem = (message: string): void =>
      void issues.push({ path: ['tables', key], at: 'key', message });
    const first = seen.get(name);
    if (first !== undefined) problem(`is the same table as "${first}" above`);
    seen.set(name, first ?? key);
    if (isPattern(name)) continue;
    const table = tableName(name);
    if (isNeverTracked(table.schema))
      problem(`cannot be tracked: schema ${table.schema} belongs to Waltrail or PostgreSQL`);
    const by = excluded.find((pattern) => matchesTable(pattern, table));
    if (by !== undefined) problem(`is excluded by "${by}" under exclude`);
  }
  return issues;
}

type LabelFile = NamesUse['rule'];

/** Reports lookups in one table that differ in key or name: a lookup table has one word for each key. */
function lookupIssues({ modifiers, defaults, tables }: TrackingFile): Issue[] {
  const labelsAt = (
    at: KeyPath,
    rule: TrackingFile['defaults'] | null,
  ): { path: KeyPath; rule: LabelFile }[] =>
    Object.entries(rule?.labels ?? {}).flatMap(([column, label]) => {
      const path = [...at, 'labels', column];
      if (!('types' in label)) return [{ path, rule: label }];
      return Object.entries(label.types).map(([type, rule]) => ({ path: [...path, 'types', type], rule }));
    });
  const all = [
    ...modifierUses(modifiers),
    ...labelsAt(['defaults'], defaults),
    ...Object.entries(tables).flatMap(([table, rule]) => labelsAt(['tables', table], rule)),
  ];
  const firsts = new Map<string | undefined, (typeof all)[number]>();
  for (const use of all) {
    const name = canonicalName(use.rule.table);
    if (!firsts.has(name)) firsts.set(name, use);
  }
  return all.flatMap(({ path, rule }) => {
    const first = firsts.get(canonicalName(rule.table))!;
    if (first.rule.key === rule.key && first.rule.name === rule.name) return [];
    const message = `looks up ${rule.table} by another key or name than ${formatPath(first.path)}; use the same key and name everywhere`;
    return [{ path, at: 'key', message }];
  });
}
