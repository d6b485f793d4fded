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
  readonly named: { readonly table: number; readonly key: string } | null;
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

/**
 * Reads the content of a message; null where it was not understood or is for another publication. Never
 * throws.
 */
export function readSessionStatement(
  { content }: Pick<LogicalMessage, 'content'>,
  { rule, publication }: { readonly rule: SessionRule; readonly publication: string },
): SessionStatement | 'of another' | null {
  const read = content.length > MAX_BYTES ? null : parsed(content);
  if (read === null || typeof read.for !== 'string') return null;
  if (read.for !== publication) return 'of another';
  const { within = false, user, role = null, application = null, address = null, settings } = read;
  if (!isName(user) || !isNameOrNull(role) || !isNameOrNull(application) || !isNameOrNull(address))
    return null;
  if (typeof settings !== 'object' || settings === null) return null;
  const values = settings as Readonly<Record<string, unknown>>;
  if (typeof within !== 'boolean') return null;
  return { within, facts: { user, role, application, address }, named: namedBy(rule.settings, values) };
}

/** A setting that may name somebody, but not whom, ends the search: the next one could name another. */
function namedBy(
  rules: readonly SessionSetting[],
  values: Readonly<Record<string, unknown>>,
): SessionStatement['named'] {
  for (const rule of rules) {
    const key = keyIn(rule, Object.hasOwn(values, rule.setting) ? values[rule.setting] : null);
    if (key === 'unknown') return null;
    if (key !== null) return { table: rule.as, key: key.text };
  }
  return null;
}

function keyIn(
  { member, nobody }: SessionSetting,
  value: unknown,
): { readonly text: string } | 'unknown' | null {
  // A setting that was made for one transaction is empty in the next.
  if (value === null || value === '') return null;
  if (typeof value !== 'string' || value.length > MAX_SETTING_CHARACTERS) return 'unknown';
  const text = member === null ? value : memberOf(value, member);
  if (text === null || text === '') return null;
  if (text === undefined || text.length > MAX_KEY_CHARACTERS) return 'unknown';
  return nobody.includes(text) ? null : { text };
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

function parsed(content: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' ? (value as Readonly<Record<string, unknown>> | null) : null;
  } catch {
    return null;
  }
}

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
const isNameOrNull = (value: unknown): value is string | null => value === null || isName(value);
