import type { Kind, Operation, Rung } from './api-types.ts';

/** `login_failed` as `Login failed`: how the API's vocabulary reads on the page. */
export function humanize(value: string): string {
  const text = value.replace(/[_-]+/g, ' ').trim();
  return text === '' ? value : text[0]!.toUpperCase() + text.slice(1);
}

export const KIND_WORDS: Readonly<Record<Kind, string>> = { agent: 'Agent', bot: 'Bot', system: 'System' };

/** How the modifier was found: a few words for the table, a sentence for the detail. */
export const RUNG_WORDS: Readonly<Record<Rung, { readonly short: string; readonly sentence: string }>> = {
  message: {
    short: 'named by the application',
    sentence: 'The application named the modifier in the same transaction (a logical message).',
  },
  column: {
    short: 'from the row',
    sentence: 'The modifier is what the row itself says in its modifier column.',
  },
  unattributed: {
    short: 'nobody was named',
    sentence: 'Nothing named a modifier, and Waltrail does not guess: the change is unattributed.',
  },
  waltrail: {
    short: 'Waltrail itself',
    sentence: 'Waltrail wrote this entry itself: it is about the trail, not about a row.',
  },
};

export const OPERATION_WORDS: Readonly<Record<Operation, string>> = {
  insert: 'Insert',
  update: 'Update',
  delete: 'Delete',
  truncate: 'Truncate (the whole table was emptied)',
};

/** Feeling of an action, for its colour; the word itself always stands beside it. */
export function actionTone(action: string): 'good' | 'bad' | 'neutral' {
  if (/^(delete|block|remove|.*failed|deactivate|disable|truncate|gap)$/.test(action)) return 'bad';
  if (/^(add|activate|create|enable|unblock|login)$/.test(action)) return 'good';
  return 'neutral';
}

/** `12,345`. */
export const countText = (count: number): string => count.toLocaleString('en-US');

/** `1 entry`, `2 entries`. */
export const entriesText = (count: number): string =>
  `${countText(count)} ${count === 1 ? 'entry' : 'entries'}`;

/** `1.4 MB`, in powers of 1,000. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]!}`;
}
