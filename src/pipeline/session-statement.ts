import type { LogicalMessage } from '../pgoutput/reader.js';
import type { SessionRule, SessionSetting } from '../tracking/rules.js';
import { MAX_SETTING_CHARACTERS } from '../tracking/session-trigger.js';
import { readMessageObject } from './message-json.js';

/**
 * What a session states about itself before a statement (sql/source/session-trigger.sql). Any login that
 * writes to a tracked table may set these settings, so it is a claim, like a column (DECISIONS 94).
 */
export interface SessionStatement {
  /**
   * Whether a trigger of the application has changed the settings, maybe for a statement of its own only. It
   * is then unknown who made the changes that follow.
   */
  readonly within: boolean;
  readonly facts: SessionFacts;
  /** The key in the first setting that names somebody. Null: none does. */
  readonly named: SessionNamed | null;
}

export interface SessionNamed {
  /** Index of the table of modifiers. */
  readonly table: number;
  readonly key: string;
  /** Whether the key names somebody only if a row of the table has it. */
  readonly onlyKnown: boolean;
}

/** Who is connected. Null: the session does not have this fact. */
export interface SessionFacts {
  /** The login, which SET ROLE does not change. */
  readonly user: string;
  readonly role: string | null;
  readonly application: string | null;
  /** IP address of the client or of a pooler. Null: the connection is by a Unix socket. */
  readonly address: string | null;
}

/**
 * Longest message. It has room for more than the trigger sends with the most settings that a YAML may name.
 */
const MAX_BYTES = 1024 * 1024;
/**
 * Longest name that is accepted. PostgreSQL's limit is lower, but a server may be built with a higher one.
 */
const MAX_NAME = 256;
const MAX_KEY_CHARACTERS = 255;
/** Prefix of the array. */
const WITHIN = 'within ';
/** Value of `role` if none was set. */
const NO_ROLE = 'none';

/**
 * Reads the content of a message: the text of an array with publication, login, role, application and
 * address, followed by each setting and its value. Returns null if it was not understood. Never throws.
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

/**
 * Finds the first setting that names somebody. If a setting may name somebody, but it is unknown whom, the
 * search ends, because the next one could name another person.
 */
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
  // A setting that was set for one transaction is empty in the next one.
  if (value === null || value === '') return null;
  if (value.length > MAX_SETTING_CHARACTERS) return 'unknown';
  const text = member === null ? value : memberOf(value, member);
  if (text === null || text === '') return null;
  if (text === undefined || text.length > MAX_KEY_CHARACTERS) return 'unknown';
  return { text };
}

/** Returns the key in a member. Null: there is none. Undefined: it is no key. Numbers keep their digits. */
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

/** An element with or without quotes, and the character after it. */
const ELEMENT = /(?:"([^"\\]*(?:\\[^][^"\\]*)*)"|([^",{}\\\s]+))([,}])/y;

/**
 * Returns the elements in the text of a one-dimensional array
 * (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Null: it is no such array.
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
