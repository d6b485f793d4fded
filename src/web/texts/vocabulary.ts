import type { Entry, Kind, Operation, Rung } from '../api-types.ts';

/** Turns an identifier of the API into text for the page: `login_failed` to `Login failed`. */
export function humanize(value: string): string {
  const text = value.replace(/[_-]+/g, ' ').trim();
  return text === '' ? value : text[0]!.toUpperCase() + text.slice(1);
}

/**
 * Returns the text for a word of the API: the YAML's text if it differs from the word, else the word as text.
 */
export const vocabularyText = (value: string, name = value): string =>
  name === value ? humanize(value) : name;

export const KIND_TEXTS: Readonly<Record<Kind, string>> = { agent: 'Agent', bot: 'Bot', system: 'System' };

/** Texts for how the modifier was found: short for the table, as a sentence for the detail. */
export const RUNG_TEXTS: Readonly<Record<Rung, { readonly short: string; readonly sentence: string }>> = {
  message: {
    short: 'named by the application',
    sentence: 'The application named the modifier in the same transaction (a logical message).',
  },
  witness: {
    short: 'from an audit row',
    sentence:
      'In the same transaction, the application added a row to its own audit table. That row names the modifier.',
  },
  column: {
    short: 'from the row',
    sentence: 'The change set the modifier column of the row to this modifier.',
  },
  session: {
    short: 'from the session',
    sentence:
      'The session that made the change had this modifier in its settings, or used the login of this modifier.',
  },
  unattributed: {
    short: 'nobody was named',
    sentence: 'The change is unattributed: nothing named a modifier, and Waltrail does not guess.',
  },
  waltrail: {
    short: 'Waltrail itself',
    sentence: 'Waltrail wrote this entry. It is about the trail, not about a row.',
  },
  baseline: {
    short: 'existed already',
    sentence:
      'This is not a change. The row existed already when tracking of its table began, or after a gap. Who created it, and when, is not known.',
  },
};

export const ACTING_AS_SENTENCE =
  'The application stated that the modifier acted in the name of this person, for example as an administrator who is logged in as a customer.';
export const LATER_KEY_SENTENCE =
  'The entity id is derived from the primary key that the table had later. At this change, the table may have had another primary key, or none.';
export const LAST_SET_BY_SENTENCE =
  'The row names this modifier, but this change did not set the modifier column, or it is not known whether it did. Somebody else may have made the change.';

/** Texts for a lower rung that names somebody else: short for the table, as a sentence for the detail. */
export const CONFLICT_TEXTS: Readonly<
  Record<NonNullable<Entry['conflict']>['rung'], { readonly short: string; readonly sentence: string }>
> = {
  witness: {
    short: 'an audit row names',
    sentence:
      'An audit row of the application names this person. A message of the application counts more or, if the audit row is about another row, the modifier column that this change set.',
  },
  column: {
    short: 'the row names',
    sentence:
      'This change set the modifier column to this person. A message or an audit row of the application names somebody else and counts more.',
  },
  session: {
    short: 'the session names',
    sentence:
      'The session that made the change had this person in its settings. A message, an audit row or the row itself names somebody else and counts more.',
  },
};

/** Returns the text for the session that was connected to the database. */
export function sessionText({ user, role, application, address }: NonNullable<Entry['session']>): string {
  const as = role === undefined || role === user ? '' : ` as ${role}`;
  const by = application === undefined ? '' : `, ${application}`;
  return `Database user ${user}${as}${by}${address === undefined ? '' : `, from ${address}`}`;
}

/**
 * Returns the sentence for a message that was not understood or was passed over. `reason` is from the API.
 */
export function unreadSentence(reason: string): string {
  const isUnsigned = /signed/.test(reason);
  if (reason.startsWith('acting_as'))
    return `The message for this change was not understood: ${reason}. It is not known in whose name the modifier acted.`;
  return isUnsigned
    ? `A message of the transaction was passed over: it is ${reason}.`
    : `The message for this change was not understood: ${reason}. It is not known whom it named.`;
}

export const OPERATION_TEXTS: Readonly<Record<Operation, string>> = {
  insert: 'Insert',
  update: 'Update',
  delete: 'Delete',
  truncate: 'Truncate (the whole table was emptied)',
  baseline: 'None: the row existed already',
};

/**
 * Returns the tone of an action, which sets its colour. The action's text is always shown with the colour.
 */
export function actionTone(action: string): 'good' | 'bad' | 'neutral' {
  if (/^(delete|block|remove|.*failed|deactivate|disable|truncate|gap)$/.test(action)) return 'bad';
  if (/^(add|activate|create|enable|unblock|login)$/.test(action)) return 'good';
  return 'neutral';
}
