import type { Entry, Values } from '../api-types.ts';
import { humanize } from '../texts/vocabulary.ts';
import { dateText, timeText } from '../time/format.ts';

/** The entity type of entries that are about the trail itself: gaps, changed tracking, changed columns. */
export const OWN_TYPE = 'waltrail';

const ACTION_WORDS: Readonly<Record<string, string>> = { tracking: 'Tracking changed' };
/** Columns of the tables that exist nowhere (`waltrail.gap`, `waltrail.tracking`), and what their null means. */
const COLUMN_WORDS: Readonly<Record<string, readonly [word: string, ofNull: string]>> = {
  code: ['code', '—'],
  tables: ['tables', 'all tracked tables'],
  from_lsn: ['missing from (LSN)', '—'],
  to_lsn: ['missing to (LSN)', 'not known yet'],
  last_entry_at: ['last entry before', 'none'],
  change: ['state', '—'],
};

/** Whether Waltrail wrote the entry by itself: a tracked table can have the entity type, but not the schema. */
export const isOwn = (entry: Entry): boolean =>
  entry.entity.type === OWN_TYPE && entry.table.startsWith('waltrail.');

/** The action of any entry in words. */
export const actionText = (entry: Entry): string =>
  (isOwn(entry) ? ACTION_WORDS[entry.action] : undefined) ?? humanize(entry.action);

/** What an entry is called as a whole: `Block: agent Omer Katz`, `Changes may be missing: the replication slot is gone`. */
export function titleOf(entry: Entry): string {
  const name = entry.entity.name ?? entry.entity.id;
  if (isOwn(entry)) {
    if (name === null) return actionText(entry);
    return entry.table === 'waltrail.gap' ? name : `${actionText(entry)}: ${name}`;
  }
  const type = humanize(entry.entity.type).toLowerCase();
  return `${actionText(entry)}: ${type}${name === null ? '' : ` ${name}`}`;
}

/** An entry of Waltrail's own with its columns, nulls and times in words; any other as it is. */
export function inWords(entry: Entry, zone: string): Entry {
  if (!isOwn(entry)) return entry;
  const side = (values: Values | null): Values | null =>
    values === null
      ? null
      : Object.fromEntries(
          Object.entries(values).map(([column, value]) => {
            const [word, ofNull] = COLUMN_WORDS[column] ?? [column, '—'];
            if (value === null) return [word, ofNull];
            return [
              word,
              column === 'last_entry_at' && typeof value === 'string' ? storedTimeText(value, zone) : value,
            ];
          }),
        );
  return { ...entry, previous: side(entry.previous), updated: side(entry.updated) };
}

/** `2026-11-23 20:29:02.027018+00` in a zone, to the second. */
function storedTimeText(stored: string, zone: string): string {
  const timestamp = stored.replace(' ', 'T').replace(/\+00$/, 'Z');
  return `${dateText(timestamp, zone)} ${timeText(timestamp, zone)} ${zone}`;
}
