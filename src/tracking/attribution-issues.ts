import {
  isSeveral,
  type AttributionFile,
  type KeyOfFile,
  type ModifierFile,
  type ModifiersFile,
} from './attribution-file.js';
import { MAX_PUBLICATION_WITH_TRIGGER } from './event-trigger.js';
import { formatPath, type KeyPath } from './document.js';
import { canonicalName, isNeverTracked, tableName } from './names.js';
import { didYouMean } from './nearest.js';
import type { SessionFile } from './session-file.js';

/** A contradiction between keys of attribution, and its place in the file. */
export interface AttributionIssue {
  readonly path: KeyPath;
  readonly at: 'key' | 'value';
  readonly message: string;
}

/** A rule that looks up names in a table, and the path of its key. */
export interface NamesUse {
  readonly path: KeyPath;
  readonly rule: { readonly table: string; readonly key: string; readonly name: string };
}

interface CheckedFile {
  readonly source: { readonly publication: string };
  readonly modifiers?: ModifiersFile | undefined;
  readonly attribution?: AttributionFile | undefined;
  readonly session?: SessionFile | undefined;
  readonly defaults?: OfTable | undefined;
  readonly tables: Readonly<Record<string, OfTable | null>>;
}

interface OfTable {
  readonly modifier?: ModifierFile | undefined;
}

/** Every table of modifiers. */
export function modifierUses(modifiers: ModifiersFile | undefined): readonly NamesUse[] {
  if (modifiers === undefined) return [];
  return isSeveral(modifiers)
    ? Object.entries(modifiers).map(([name, rule]) => ({ path: ['modifiers', name], rule }))
    : [{ path: ['modifiers'], rule: modifiers }];
}

/**
 * Reports names of tables of modifiers that do not exist, tables with two names, and what makes `session` or
 * a witness impossible.
 */
export function attributionIssues(file: CheckedFile): AttributionIssue[] {
  const known =
    file.modifiers !== undefined && isSeveral(file.modifiers) ? Object.keys(file.modifiers) : null;
  const issuesOf = ({ path, as }: AsUse): AttributionIssue[] =>
    namesIn(as).flatMap(({ steps, name }) => {
      if (known?.includes(name) === true) return [];
      const message =
        known === null
          ? `needs tables with names: modifiers: { ${name}: { table: …, key: …, name: … } }`
          : `is not a name under modifiers.${didYouMean(name, known) || ` Known: ${known.join(', ')}.`}`;
      return [{ path: [...path, ...steps], at: 'value', message }];
    });
  return [...twice(file.modifiers), ...ownTables(file), ...longName(file), ...asUses(file).flatMap(issuesOf)];
}

/**
 * Refuses witnesses in schemas that Waltrail or PostgreSQL writes: Waltrail's own rows must not attribute
 * changes.
 */
const ownTables = ({ attribution = [] }: CheckedFile): AttributionIssue[] =>
  attribution.flatMap(({ table }, index) => {
    const { schema } = tableName(canonicalName(table)!);
    if (!isNeverTracked(schema)) return [];
    const message = `cannot be a witness: schema ${schema} belongs to Waltrail or PostgreSQL`;
    return [{ path: ['attribution', index, 'table'], at: 'value', message }];
  });

/** Refuses a publication name that is too long: names of the trigger and its function begin with it. */
const longName = ({ source, session }: CheckedFile): AttributionIssue[] =>
  session === undefined || source.publication.length <= MAX_PUBLICATION_WITH_TRIGGER
    ? []
    : [
        {
          path: ['source', 'publication'],
          at: 'value',
          message: `must be at most ${MAX_PUBLICATION_WITH_TRIGGER} characters long if session is set`,
        },
      ];

/** Refuses a second name for a table: the same person would appear as two modifiers. */
function twice(modifiers: ModifiersFile | undefined): AttributionIssue[] {
  const uses = modifierUses(modifiers);
  return uses.flatMap(({ path, rule }) => {
    const first = uses.find((other) => canonicalName(other.rule.table) === canonicalName(rule.table))!;
    if (first.path === path) return [];
    const message = `is the table of ${formatPath(first.path)} as well; one table has one name`;
    return [{ path: [...path, 'table'], at: 'value', message }];
  });
}

interface AsUse {
  readonly path: KeyPath;
  readonly as: KeyOfFile;
}

function asUses({ attribution = [], session = [], defaults, tables }: CheckedFile): AsUse[] {
  const ofWitnesses = attribution.flatMap(({ as }, index) =>
    as === undefined ? [] : [{ path: ['attribution', index, 'as'], as }],
  );
  const ofSession = session.flatMap((item, index) =>
    typeof item === 'string' || item.as === undefined
      ? []
      : [{ path: ['session', index, 'as'], as: item.as }],
  );
  const rules: readonly (readonly [KeyPath, OfTable | null | undefined])[] = [
    [['defaults'], defaults],
    ...Object.entries(tables).map(([table, rule]) => [['tables', table], rule] as const),
  ];
  const ofColumns = rules.flatMap(([at, rule]) => {
    const path = [...at, 'modifier'];
    const modifier = rule?.modifier;
    if (modifier === undefined || modifier === false || typeof modifier === 'string') return [];
    const named = Array.isArray(modifier)
      ? modifier.map((rule, index) => ({ rule, path: [...path, index, 'as'] }))
      : [{ rule: modifier, path: [...path, 'as'] }];
    return named.flatMap(({ rule, path }) =>
      typeof rule === 'string' || rule.as === undefined ? [] : [{ path, as: rule.as }],
    );
  });
  return [...ofWitnesses, ...ofSession, ...ofColumns];
}

const namesIn = (as: KeyOfFile): readonly { readonly steps: KeyPath; readonly name: string }[] =>
  typeof as === 'string'
    ? [{ steps: [], name: as }]
    : Object.entries(as).flatMap(([column, tables]) =>
        Object.entries(tables).map(([value, name]) => ({ steps: [column, value], name })),
      );
