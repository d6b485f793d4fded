import type { LogicalMessage } from '../pgoutput/reader.js';
import type { SessionRule, SessionSetting } from '../tracking/rules.js';
import { MAX_SETTING_CHARACTERS } from '../tracking/session-trigger.js';
import { readMessageObject } from './message-json.js';

/**
 * What a session says of itself before a statement (sql/source/session-trigger.sql). Whoever writes to a
 * tracked table may set these settings, so it is a claim, as a column is (DECISIONS 94).
 */
export interface SessionStatement {
  /**
   * A trigger of the application has changed the settings, maybe for a statement of its own alone: whose the
   * rows behind it are is not known.
   */
  readonly within: boolean;
  readonly facts: SessionFacts;
  /** Whose key the first setting holds that names somebody; null: none does. */
  readonly named: SessionNamed | null;
}

export interface SessionNamed {
  /** Index of the table of modifiers. */
  readonly table: number;
  readonly key: string;
  /** It is a name only where it is somebody's key. */
  readonly onlyKnown: boolean;
}

/** Who is connected. Null: the session has none. */
export interface SessionFacts {
  /** The login, which SET ROLE does not change. */
  readonly user: string;
  readonly role: string | null;
  readonly application: string | null;
  /** IP address of the client or of a pooler; null: by a socket of the machine. */
  readonly address: string | null;
}

/** More than the trigger sends of as many settings as a YAML may name. */
const MAX_BYTES = 1024 * 1024;
/** Longest name of PostgreSQL, with room for a server that was built with longer ones. */
const MAX_NAME = 256;
const MAX_KEY_CHARACTERS = 255;
/** Stands before the array. */
const WITHIN = 'within ';
/** What `role` is where none was set. */
const NO_ROLE = 'none';

/**
 * Reads the content of a message: the text of an array of publication, login, role, application and address,
 * and behind these each setting with its value. Null where it was not understood. Never throws.
 */
export function readSessionStatement(
  { content }: Pick<LogicalMessage, 'content'>,
  { rule, publication }: { readonly rule: SessionRule; readonly publication: string },
): SessionStatement | 'of another' | null {
  if (content.length > MAX_BYTES) return null;
  const text = content.toString('utf8');
  const within = text.startsWith(WITHIN);
  const elements = elementsOf(within ? text.slice(WITHIN.length) : text);
  if (elements === null || elements.length < FACTS) return null;
  const [target, user, role, application, address, ...settings] = elements as [string, ...(string | null)[]];
  if (target !== publication) return 'of another';
  if (!isName(user) || !isName(role) || !isText(application) || !isText(address)) return null;
  const values = new Map<string | null, string | null>();
  for (let index = 0; index + 1 < settings.length; index += 2)
    values.set(settings[index]!, settings[index + 1]!);
  return {
    within,
    facts: { user, role: role === NO_ROLE ? null : role, application: application || null, address },
    named: namedBy(rule.settings, values),
  };
}

const FACTS = 5;

/** A setting that may name somebody, but not whom, ends the search: the next one could name another. */
function namedBy(
  rules: readonly SessionSetting[],
  values: ReadonlyMap<string | null, string | null>,
): SessionNamed | null {
  for (const rule of rules) {
    const key = keyIn(rule, values.get(rule.setting) ?? null);
    if (key === 'unknown') return null;
    if (key !== null) return { table: rule.as, key: key.text, onlyKnown: rule.onlyKnown };
  }
  return null;
}

function keyIn(
  { member }: SessionSetting,
  value: string | null,
): { readonly text: string } | 'unknown' | null {
  // A setting that was made for one transaction is empty in the next.
  if (value === null || value === '') return null;
  if (value.length > MAX_SETTING_CHARACTERS) return 'unknown';
  const text = member === null ? value : memberOf(value, member);
  if (text === null || text === '') return null;
  if (text === undefined || text.length > MAX_KEY_CHARACTERS) return 'unknown';
  return { text };
}

/** Null: there is none; undefined: it is no key. Numbers keep their digits. */
function memberOf(json: string, member: string): string | null | undefined {
  const read = readMessageObject(Buffer.from(json), {
    members: new Set([member]),
    context: '',
    redacted: () => null,
    texts: false,
  });
  if (typeof read === 'string') return undefined;
  const value = read.members.get(member);
  if (value === undefined || value.is === 'null') return null;
  return value.is === 'text' ? value.text : undefined;
}

/** An element with quotes, or one without, and what stands behind it. */
const ELEMENT = /(?:"([^"\\]*(?:\\[^][^"\\]*)*)"|([^",{}\\\s]+))([,}])/y;

/**
 * Elements of the text of a one-dimensional array
 * (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO); null where it is none.
 */
function elementsOf(text: string): readonly (string | null)[] | null {
  if (!text.startsWith('{')) return null;
  const elements: (string | null)[] = [];
  ELEMENT.lastIndex = 1;
  for (;;) {
    const match = ELEMENT.exec(text);
    if (match === null) return null;
    const [, quoted, bare, end] = match;
    if (quoted !== undefined) elements.push(quoted.replaceAll(/\\([^])/g, '$1'));
    else elements.push(bare === 'NULL' ? null : bare!);
    if (end === '}') return ELEMENT.lastIndex === text.length ? elements : null;
  }
}

const isName = (value: string | null | undefined): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
const isText = (value: string | null | undefined): value is string | null =>
  value === null || (value !== undefined && value.length <= MAX_NAME);
