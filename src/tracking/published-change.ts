import { neededTables, ruleFor } from './match.js';
import { formatTable, type TableName } from './names.js';
import type { PublishedState, PublishedTableState, TableFate } from './published.js';
import type { TrackingConfig } from './rules.js';

/**
 * What a difference between two looks at the publication means. `unpublished`: changes of these tables (null: of all)
 * may not have been sent for a while, whatever it looks like now. `note`: nothing is missing, but it is to be recorded.
 */
export type PublishedChange =
  | { readonly is: 'missing' }
  | { readonly is: 'unpublished'; readonly tables: readonly string[] | null }
  | { readonly is: 'note'; readonly table: string; readonly before: string; readonly after: string };

/** Whether the YAML needs the table in the publication: tracked, or for the names of modifiers and labels. */
export const isWanted = (config: TrackingConfig, table: TableName): boolean =>
  ruleFor(config, table) !== undefined || neededTables(config).some((needed) => sameTable(needed, table));

/**
 * Compares two looks. Pure.
 *
 * @param options.fate of the tables of `last`: up to a drop or a new name the stream carried every change, but not of
 * another table that took the name
 */
export function publishedChanges(options: {
  readonly config: TrackingConfig;
  readonly last: PublishedState;
  readonly now: PublishedState;
  readonly fate: TableFate;
}): PublishedChange[] {
  const { config, last, now } = options;
  const { gone, replaced } = options.fate;
  // Made anew it is another publication: in between there was none, and what was changed then was not sent.
  if (now.publication === null || now.publication !== last.publication) return [{ is: 'missing' }];
  if (now.options !== last.options) return [{ is: 'unpublished', tables: null }];
  const unpublished: string[] = [];
  const notes: PublishedChange[] = [];
  for (const [oid, before] of Object.entries(last.tables)) {
    const after = now.tables[oid];
    if (replaced.has(oid) && isWanted(config, before)) unpublished.push(formatTable(before));
    if (after !== undefined) {
      if (after.membership !== before.membership && isWanted(config, after))
        unpublished.push(formatTable(after));
      notes.push(...notesOf(before, after));
    } else if (isWanted(config, before)) {
      if (gone.has(oid)) notes.push(note(before, 'tracked', 'dropped'));
      else if (!replaced.has(oid)) unpublished.push(formatTable(before));
    } else {
      notes.push(note(before, 'published', 'not published'));
    }
  }
  for (const [oid, after] of Object.entries(now.tables)) {
    if (last.tables[oid] === undefined && !unpublished.includes(formatTable(after)))
      notes.push(note(after, 'not published', 'published'));
  }
  return unpublished.length === 0 ? notes : [{ is: 'unpublished', tables: unpublished }, ...notes];
}

function notesOf(before: PublishedTableState, after: PublishedTableState): PublishedChange[] {
  return [
    ...(sameTable(before, after) ? [] : [note(after, formatTable(before), formatTable(after))]),
    ...(before.identity === after.identity
      ? []
      : [note(after, identityText(before.identity), identityText(after.identity))]),
  ];
}

const note = (table: TableName, before: string, after: string): PublishedChange => ({
  is: 'note',
  table: formatTable(table),
  before,
  after,
});

const IDENTITIES: Readonly<Record<string, string>> = { d: 'default', f: 'full', i: 'index', n: 'nothing' };

const identityText = (identity: string): string => `replica identity ${IDENTITIES[identity] ?? identity}`;

const sameTable = (a: TableName, b: TableName): boolean => a.schema === b.schema && a.table === b.table;
