import type { Entry, Kind, Operation, Rung } from '../api-types.ts';

/** Turns an identifier of the API into text for the page: `login_failed` to `Login failed`. */
export function humanize(value: string): string {
  const text = value.replace(/[_-]+/g, ' ').trim();
  return text === '' ? value : text[0]!.toUpperCase() + text.slice(1);
}

/** The text of a word of the API: what the YAML has shown for it, if that is another than the word itself. */
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
      'The application added a row to an audit table of its own in the same transaction, which names the modifier.',
  },
  column: {
    short: 'from the row',
    sentence: 'The modifier is whom the change put into the modifier column of its row.',
  },
  session: {
    short: 'from the session',
    sentence: 'The session that made the change had this modifier in its settings, or is this login.',
  },
  unattributed: {
    short: 'nobody was named',
    sentence: 'Nothing named a modifier, and Waltrail does not guess: the change is unattributed.',
  },
  waltrail: {
    short: 'Waltrail itself',
    sentence: 'Waltrail wrote this entry itself: it is about the trail, not about a row.',
  },
  baseline: {
    short: 'existed already',
    sentence:
      'No change: the row existed already when its table began to be tracked, or behind a gap. Who made it, and when, is not known.',
  },
};

export const ACTING_AS_SENTENCE =
  'The application said that the modifier acted in the name of this person, as an administrator does who is logged in as a customer.';
export const LATER_KEY_SENTENCE =
  'The entity id is by the primary key that the table had later. It may have had another one at this change, or none.';
export const LAST_SET_BY_SENTENCE =
  'The row names this modifier, but this change did not set that, or it is not known. So it may have been anybody.';

/** Whom a lower rung names, where a higher one counts: short for the table, as a sentence for the detail. */
export const CONFLICT_TEXTS: Readonly<
  Record<NonNullable<Entry['conflict']>['rung'], { readonly short: string; readonly sentence: string }>
> = {
  witness: {
    short: 'an audit row names',
    sentence:
      'An audit row of the application names somebody else. What counts is a message of the application or, where the audit row is about another row, the modifier column that this change set.',
  },
  column: {
    short: 'the row names',
    sentence:
      'This change set the modifier column to somebody else than the application named by a message or an audit row. That counts.',
  },
  session: {
    short: 'the session names',
    sentence:
      'The session that made the change had somebody else in its settings. A message, an audit row or the row itself counts more.',
  },
};

/** Who was connected to the database. */
export function sessionText({ user, role, application, address }: NonNullable<Entry['session']>): string {
  const as = role === undefined || role === user ? '' : ` as ${role}`;
  const by = application === undefined ? '' : `, ${application}`;
  return `Database user ${user}${as}${by}${address === undefined ? '' : `, from ${address}`}`;
}

/** Why a message of the application named nobody. The reasons are those of the API. */
export function unreadSentence(reason: string): string {
  const isUnsigned = /signed/.test(reason);
  if (reason.startsWith('acting_as'))
    return `The message that speaks for this change was not understood: ${reason}. In whose name the modifier acted is not known.`;
  return isUnsigned
    ? `A message of the transaction was passed over: it is ${reason}.`
    : `The message that speaks for this change was not understood: ${reason}. Whom it named is not known.`;
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
