import { identityName } from './identity-name.js';
import { neededTables } from './lookups.js';
import { ruleFor } from './match.js';
import { formatTable, type TableName } from './names.js';
import { knownName, type PublishedState, type PublishedTableState, type TableFate } from './published.js';
import {
  movedPartitions,
  rewritingOf,
  untoldColumns,
  type MovedPartition,
  type UntoldColumn,
} from './rewrites.js';
import type { TrackingConfig } from './rules.js';
import type { TableTrouble } from './troubles.js';

/** The meaning of the difference between two looks at the publication. */
export interface PublishedChanges {
  /**
   * A change that concerns every table: for a while there was no publication, or it did not publish every
   * operation. Null: no such change.
   */
  readonly stream: 'SOURCE_PUBLICATION_MISSING' | 'SOURCE_PUBLICATION_INCOMPLETE' | null;
  /** Tables for which changes may not have been sent for a while, even if all looks right now. */
  readonly unpublished: readonly string[];
  /** Tables whose rows got other values without row messages. */
  readonly rewritten: readonly string[];
  /** Changes to be recorded although nothing is missing, or it is unknown whether something is. */
  readonly notes: readonly TrackingNote[];
}

/** A change of the tracking of one table, or of the source, in words. */
export interface TrackingNote {
  readonly subject: string;
  readonly before: string;
  readonly after: string;
}

/** Whether the YAML needs the table in the publication: as a tracked table, a lookup table or a witness. */
export const isWanted = (config: TrackingConfig, table: TableName): boolean =>
  ruleFor(config, table) !== undefined || neededTables(config).some((needed) => sameTable(needed, table));

/** Whether the table's rows make entries. */
const isTracked = (config: TrackingConfig, table: TableName): boolean => ruleFor(config, table) !== undefined;

/**
 * Compares two looks. Pure.
 *
 * @param options.fate what became of the tables of `last`. Up to a drop or rename the stream carried every
 * change of a table. It did not carry changes of another table that took its name.
 */
export function publishedChanges(options: {
  readonly config: TrackingConfig;
  readonly last: PublishedState;
  readonly now: PublishedState;
  readonly fate: TableFate;
}): PublishedChanges {
  const { config, last, now } = options;
  const { publication } = config.source;
  const { gone, replaced, covered, unwritten } = options.fate;
  const unpublished: string[] = [];
  const rewritten: string[] = [];
  const notes: TrackingNote[] = [];
  // A recreated publication is another one. While there was none, changes were not sent.
  if (now.publication === null || now.publication !== last.publication)
    return { stream: 'SOURCE_PUBLICATION_MISSING', unpublished, rewritten, notes };
  if (optionsChanged(last, now))
    return { stream: 'SOURCE_PUBLICATION_INCOMPLETE', unpublished, rewritten, notes };
  if (last.owner != null && now.owner != null && last.owner !== now.owner)
    notes.push({ subject: publication, before: `owner ${last.owner}`, after: `owner ${now.owner}` });
  for (const [oid, before] of Object.entries(last.tables)) {
    const name = knownName(before);
    const wanted = isWanted(config, name);
    const after = now.tables[oid];
    if (replaced.has(oid) && wanted && !wasPublished(replaced.get(oid)!, options))
      unpublished.push(formatTable(name));
    if (after !== undefined) {
      if (!isSteady(before, after) && (wanted || isWanted(config, after)))
        unpublished.push(formatTable(knownName(after)));
      const values = valueChanges(before, after, { ...options, name });
      if (wanted && values.isGap) rewritten.push(formatTable(name));
      notes.push(...notesOf(before, after), ...(wanted ? values.notes : []));
    } else if (wanted && !covered.has(oid)) {
      if (gone.has(oid)) notes.push(note(before, 'tracked', 'dropped'));
      else if (!replaced.has(oid)) unpublished.push(formatTable(name));
    } else {
      notes.push(note(before, 'published', covered.has(oid) ? 'published as a partition' : 'not published'));
    }
  }
  for (const [oid, after] of Object.entries(now.tables)) {
    if (last.tables[oid] !== undefined) continue;
    // The table may have existed, and been written to, for a while before. Not so if its schema was published
    // completely, or if nothing was ever written to it.
    if (isWanted(config, after) && !isOfSchema(after, last) && !unwritten.has(oid))
      unpublished.push(formatTable(after));
    if (isWanted(config, after) || after.membership !== undefined)
      notes.push(note(after, 'not published', 'published'));
  }
  return { stream: null, unpublished: [...new Set(unpublished)], rewritten, notes };
}

/**
 * Adds to the state what only earlier looks know: which tables were removed from the publication, and by
 * which names the YAML knows renamed tables. A tracked table with a new name that the YAML does not know is
 * still the same table, unless another one took its name.
 */
export function withHistory(options: {
  readonly config: TrackingConfig;
  readonly last: PublishedState;
  readonly now: PublishedState;
  readonly fate: TableFate;
}): PublishedState {
  const { config, last, now, fate } = options;
  const tables = Object.entries(now.tables).map(([oid, table]): [string, PublishedTableState] => {
    const before = last.tables[oid];
    if (before === undefined || isWanted(config, table) || fate.replaced.has(oid)) return [oid, table];
    const knownAs = knownName(before);
    return [oid, isWanted(config, knownAs) ? { ...table, knownAs } : table];
  });
  const takenOut = takenOutOf(options);
  return withoutUnwanted(config, {
    ...now,
    tables: Object.fromEntries(tables),
    ...(takenOut.length === 0 ? {} : { takenOut }),
  });
}

function takenOutOf({ config, last, now, fate }: Parameters<typeof withHistory>[0]): string[] {
  const left = Object.entries(last.tables).filter(
    ([oid, table]) => isWanted(config, knownName(table)) && !fate.gone.has(oid) && !fate.covered.has(oid),
  );
  const before = last.takenOut ?? [];
  return [...new Set([...before, ...left.map(([oid]) => oid)])].filter(
    (oid) => now.tables[oid] === undefined,
  );
}

/**
 * Returns the state without tables that only their schema publishes and that the YAML does not want. There
 * may be thousands, and they do not matter.
 */
export const withoutUnwanted = (config: TrackingConfig, state: PublishedState): PublishedState => ({
  ...state,
  tables: Object.fromEntries(
    Object.entries(state.tables).filter(
      ([, table]) => table.membership !== undefined || isWanted(config, knownName(table)),
    ),
  ),
});

/** Adds the tables for which PostgreSQL refuses writes, from the troubles of the same look. */
export const withRefusals = (state: PublishedState, troubles: readonly TableTrouble[]): PublishedState => ({
  ...state,
  refusing: troubles.filter(({ effect }) => effect === 'writes refused').map(({ table }) => table),
});

/**
 * Returns the troubles. If a table is missing under its name and its new name is known, the trouble states
 * the new name.
 */
export const withNewNames = (
  troubles: readonly TableTrouble[],
  { tables }: PublishedState,
): readonly TableTrouble[] =>
  troubles.map((trouble) => {
    if (trouble.code !== 'TRACKING_TABLE_UNKNOWN') return trouble;
    const renamed = Object.values(tables).find(
      ({ knownAs }) => knownAs !== undefined && formatTable(knownAs) === trouble.table,
    );
    if (renamed === undefined) return trouble;
    const now = formatTable(renamed);
    return {
      ...trouble,
      effect: 'as far as possible',
      message: `The source's table ${trouble.table} was renamed to ${now}, and is still captured as ${trouble.table}.`,
      remedy: `Use the name ${now} in the YAML, then run waltrail reload and waltrail apply.`,
    };
  });

/**
 * Notes about tables for which the source began to refuse writes, or accepts them again. No changes of them
 * are missing.
 */
export function refusalNotes(last: PublishedState | undefined, now: PublishedState): TrackingNote[] {
  const before = last?.refusing ?? [];
  const after = now.refusing ?? [];
  const accepted = 'updates and deletes accepted';
  const refused = 'updates and deletes refused by the source';
  return [
    ...after
      .filter((subject) => !before.includes(subject))
      .map((subject) => ({ subject, before: accepted, after: refused })),
    ...before
      .filter((subject) => !after.includes(subject))
      .map((subject) => ({ subject, before: refused, after: accepted })),
  ];
}

/**
 * Whether the options may have differed for a while. The version reveals options that were changed and
 * changed back. A new owner changes the version too.
 */
function optionsChanged(last: PublishedState, now: PublishedState): boolean {
  // Earlier looks had both in one text.
  if (last.version === undefined && now.version !== undefined)
    return `${now.options} ${now.version}` !== last.options;
  return now.options !== last.options || (now.version !== last.version && now.owner === last.owner);
}

/**
 * Whether a table was published at both looks in the same way, or since it exists. Then every change of it
 * was sent, under whatever name.
 */
function wasPublished(
  oid: string,
  options: { readonly last: PublishedState; readonly now: PublishedState; readonly fate: TableFate },
): boolean {
  const { last, now, fate } = options;
  const [before, after] = [last.tables[oid], now.tables[oid]];
  if (after === undefined) return false;
  return before === undefined ? isOfSchema(after, last) || fate.unwritten.has(oid) : isSteady(before, after);
}

/** Whether one membership held a table in the publication from one look to the next. */
const isSteady = (before: PublishedTableState, after: PublishedTableState): boolean =>
  (before.membership !== undefined && before.membership === after.membership) ||
  (before.schemaMembership !== undefined && before.schemaMembership === after.schemaMembership);

/** Whether a table is in a schema that the publication has held completely since the last look. */
const isOfSchema = ({ schemaMembership }: PublishedTableState, last: PublishedState): boolean =>
  schemaMembership !== undefined && last.schemas?.includes(schemaMembership) === true;

function notesOf(before: PublishedTableState, after: PublishedTableState): TrackingNote[] {
  return [
    ...(sameTable(before, after) ? [] : [note(after, formatTable(before), formatTable(after))]),
    ...(before.identity === after.identity
      ? []
      : [note(after, identityText(before.identity), identityText(after.identity))]),
  ];
}

/** Describes what happened, or may have happened, to values without a row message. */
function valueChanges(
  before: PublishedTableState,
  after: PublishedTableState,
  { config, last, now, name }: Parameters<typeof publishedChanges>[0] & { readonly name: TableName },
): { readonly isGap: boolean; readonly notes: readonly TrackingNote[] } {
  const rewriting = rewritingOf(before, after);
  // If the event triggers were installed all the time, the stream has a report with the exact position, so
  // there is no gap. A certain rewrite is still noted, because some roles can prevent event triggers from
  // running.
  const isReported = config.source.eventTrigger && now.reports != null && now.reports === last.reports;
  const isGap = rewriting === 'certain' && isTracked(config, name) && !isReported;
  const isNoted = !isGap && rewriting !== 'none' && !(isReported && rewriting === 'perhaps');
  return {
    isGap,
    notes: [
      ...(isNoted ? [note(after, REWRITTEN.before, REWRITTEN.after)] : []),
      ...untoldColumns(before, after).map((column) => note(after, ...columnTexts(column))),
      // A partition that was published on its own has sent its rows.
      ...movedPartitions(before, after)
        .filter(({ oid }) => last.tables[oid] === undefined)
        .map((partition) => note(after, ...partitionTexts(partition))),
    ],
  };
}

const REWRITTEN = {
  before: 'rows as they were sent',
  after: 'may have been rewritten: their new values were not sent',
};

function partitionTexts({ name, is }: MovedPartition): [before: string, after: string] {
  const partition = `partition ${formatTable(name)}`;
  return is === 'attached'
    ? [`no ${partition}`, `${partition}, attached: its existing rows were not sent`]
    : [partition, `no ${partition}: it took its rows along, which were not sent as deleted`];
}

const columnTexts = ({ name, is }: UntoldColumn): [before: string, after: string] =>
  is === 'another'
    ? [`column ${name}`, `another column ${name}: its old and new values in existing rows were not sent`]
    : [`no column ${name}`, `column ${name}: existing rows hold its default, which was not sent`];

const note = (table: TableName, before: string, after: string): TrackingNote => ({
  subject: formatTable(table),
  before,
  after,
});

const identityText = (identity: string): string => `replica identity ${identityName(identity)}`;

const sameTable = (a: TableName, b: TableName): boolean => a.schema === b.schema && a.table === b.table;
