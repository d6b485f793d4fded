import type { LogicalMessage } from '../pgoutput/reader.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { Kind, RedactRule } from '../tracking/rules.js';
import { BytesCache } from './bytes-cache.js';
import type { Dictionary, Lookups } from './ports.js';
import { redactedText, type Redactor } from './redaction.js';

/** Who made a transaction, as a logical message said. */
export interface MessageAttribution {
  /** Null: the message carries context only. */
  readonly modifier: {
    readonly key: string;
    readonly name: string | null;
    readonly kind: Kind | null;
  } | null;
  /** JSON text; null without context. */
  readonly context: string | null;
}

/** Id of the modifier of changes that nobody is known to have made. */
export const UNATTRIBUTED = 0;

/** Prefix of our own messages, and that of the Bemi ORM packages, which serve as context providers unchanged. */
const PREFIX = 'waltrail';
const BEMI_PREFIX = '_bemi';
/** Where a Bemi context usually says who it was. */
const BEMI_KEYS = ['modifier', 'user_id', 'userId', 'userID'];

/** What a message says is stored with every entry of its transaction, of which there may be a million. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/** Finds the modifier of a change: rungs `message` and `column` of the attribution ladder. */
export class Attribution {
  readonly #dictionary: Dictionary;
  readonly #lookups: Lookups;
  readonly #modifiersTable: string | null;
  /** Modifier id by key, as long as the names are what they were. */
  readonly #ids = new Map<string, number>();
  readonly #byBytes = new BytesCache();
  readonly #find = (key: string): number => this.#idOf(key);

  constructor(options: {
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    readonly modifiersTable: string | null;
  }) {
    this.#dictionary = options.dictionary;
    this.#lookups = options.lookups;
    this.#modifiersTable = options.modifiersTable;
  }

  /** Modifier id by the modifier column of the row as the change left it; {@link UNATTRIBUTED} where that is empty. */
  byColumn(row: Tuple, column: number, redactor: Redactor | null): number {
    if (column < 0 || !row.has(column)) return UNATTRIBUTED;
    if (redactor !== null) return this.#idOf(redactedText(redactor, row, column));
    return this.#byBytes.get(row, column, this.#find);
  }

  /** Modifier id by a logical message. A name or kind that the message does not give comes from the modifiers table. */
  byMessage(message: MessageAttribution): number | null {
    if (message.modifier === null) return null;
    const { key, name, kind } = message.modifier;
    const known = this.#known(key);
    return this.#dictionary.modifier({
      key,
      name: name ?? known?.name ?? key,
      kind: kind ?? known?.kind ?? 'agent',
    });
  }

  /** The name or kind of some modifier changed: entries from here on use the new one. */
  namesChanged(table: string): void {
    if (table !== this.#modifiersTable) return;
    this.#ids.clear();
    this.#byBytes.clear();
  }

  #idOf(key: string): number {
    if (key === '') return UNATTRIBUTED;
    let id = this.#ids.get(key);
    if (id === undefined) {
      const known = this.#known(key);
      id = this.#dictionary.modifier({ key, name: known?.name ?? key, kind: known?.kind ?? 'agent' });
      this.#ids.set(key, id);
    }
    return id;
  }

  #known(key: string): { readonly name: string; readonly kind: Kind | null } | undefined {
    return this.#modifiersTable === null ? undefined : this.#lookups.get(this.#modifiersTable, key);
  }
}

/**
 * Reads a logical message. Undefined for one that is not ours (another prefix, not transactional); null for one that
 * should be but cannot be read.
 *
 * @param redact rules for every table: they hold for the names of context members too
 */
export function readAttribution(
  message: LogicalMessage,
  redact: readonly RedactRule[],
): MessageAttribution | null | undefined {
  if (!message.transactional || (message.prefix !== PREFIX && message.prefix !== BEMI_PREFIX))
    return undefined;
  if (message.content.length > MAX_MESSAGE_BYTES) return null;
  let body: unknown;
  try {
    body = parseExactly(message.content.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  const members = body as Record<string, unknown>;
  if (message.prefix === BEMI_PREFIX) {
    const key = BEMI_KEYS.map((name) => keyText(members[name])).find((text) => text !== null) ?? null;
    return {
      modifier: key === null ? null : { key, name: null, kind: null },
      context: contextText(members, redact),
    };
  }
  const key = keyText(members.modifier);
  if (key === null && members.context === undefined) return null;
  return {
    modifier: key === null ? null : { key, name: keyText(members.name), kind: kindOf(members.kind) },
    context: contextText(members.context, redact),
  };
}

/** A string or a number as a token of JSON; strings first, so that digits within them are not numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
/** Begins the strings that stand for numbers; no other string of a parsed message has it. */
const NUMBER_MARK = '\u0001';
const NUMBER_STRINGS = /"\\u0001(-?\d[\d.eE+-]*)"/g;

/** Parses JSON with every number as a marked string of its own text: as a double, 64-bit keys would name somebody else. */
function parseExactly(json: string): unknown {
  // What is not JSON is refused before its tokens are touched: `[1 2]` must not become a list of strings.
  JSON.parse(json);
  return JSON.parse(
    json.replace(TOKENS, (token) =>
      token.startsWith('"') ? token.replaceAll('\\u0001', '\\ufffd') : `"\\u0001${token}"`,
    ),
  );
}

const isNumber = (value: unknown): value is string =>
  typeof value === 'string' && value.startsWith(NUMBER_MARK);

/** PostgreSQL has no NUL in a text. */
const keyText = (value: unknown): string | null =>
  typeof value === 'string' && value !== ''
    ? (isNumber(value) ? value.slice(NUMBER_MARK.length) : value).replaceAll('\0', '\ufffd')
    : null;

const kindOf = (value: unknown): Kind | null =>
  value === 'agent' || value === 'bot' || value === 'system' ? value : null;

function contextText(context: unknown, redact: readonly RedactRule[]): string | null {
  if (context === undefined || context === null) return null;
  const patterns = redact
    .filter(({ tables }) => tables === null)
    .flatMap(({ columns }) => columns.map(wildcard));
  // A redacted member is masked with everything in it; only the context itself has no name.
  const json = JSON.stringify(context, (name, value: unknown) =>
    name !== '' && value !== null && patterns.some((pattern) => pattern.test(name)) ? '***' : value,
  );
  return json.replace(NUMBER_STRINGS, '$1');
}

const wildcard = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 'i');
