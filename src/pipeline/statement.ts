import type { LogicalMessage } from '../pgoutput/reader.js';
import { contextRedaction } from '../tracking/redact.js';
import type { Kind, TrackingConfig } from '../tracking/rules.js';
import type { ContextMasking } from './context-writer.js';
import { readMessageObject, type MemberValue, type MessageFormat, type Unreadable } from './message-json.js';
import type { MessageSignatures, Unsigned } from './signature.js';

/** Who made changes, according to a logical message. */
export interface NamedModifier {
  readonly key: string;
  /** Null: the message does not state it. */
  readonly name: string | null;
  readonly kind: Kind | null;
  /** Null: nobody. */
  readonly actingAs: NamedActingAs | null;
}

/** The person in whose name the modifier acted, according to a logical message (DECISIONS 104). */
export interface NamedActingAs {
  readonly key: string;
  /** Null: the message does not state it. */
  readonly name: string | null;
  /** Table of the key: a name under `modifiers` in the YAML. Null: the first table. */
  readonly table: string | null;
}

/**
 * What a logical message states about the changes that follow it (DECISIONS 36). If `modifier` is null, it
 * names nobody, and lower rungs count. `context` is JSON text, or null.
 */
export type Statement =
  | {
      readonly of: 'modifier and context';
      readonly modifier: NamedModifier | null;
      readonly context: string | null;
      /**
       * Why it is unknown whom the modifier acted as. Null: it is known, or the message states nothing about
       * it.
       */
      readonly unread: Misunderstood | null;
    }
  | { readonly of: 'context'; readonly context: string | null }
  | { readonly of: 'nothing'; readonly reason: Misunderstood }
  | { readonly of: 'passed over'; readonly reason: Unsigned };

/** Why a message was not understood. These words are stored, so they must not change. */
export type Misunderstood =
  | Unreadable
  | 'neither modifier nor context'
  | 'the modifier is no key'
  | 'no modifier beside acting_as'
  | UnreadActingAs
  | 'reading it failed';
/** Why a message names the modifier, but not the person that the modifier acted as. */
export type UnreadActingAs = 'acting_as is no key' | 'acting_as_table is no table of modifiers';
/** Why a message names nobody. */
export type Unread = Misunderstood | Unsigned;

/**
 * Prefix of Waltrail's own messages, and that of the Bemi ORM packages, which can be used without changes.
 */
const PREFIX = 'waltrail';
const BEMI_PREFIX = '_bemi';
/** Prefixes of the transactional messages that state who made changes. */
export const STATEMENT_PREFIXES: readonly string[] = [PREFIX, BEMI_PREFIX];

/** Members of a Bemi context that usually name the modifier. The first one that exists counts. */
const BEMI_KEYS = ['modifier', 'user_id', 'userId', 'userID'];

const OWN_FORMAT: MessageFormat = {
  members: new Set(['modifier', 'name', 'kind', 'acting_as', 'acting_as_name', 'acting_as_table']),
  context: 'context',
};
const BEMI_FORMAT: MessageFormat = { members: new Set(BEMI_KEYS), context: null };
/** What Bemi's packages send if the application has set no context. */
const BEMI_NOTHING: ReadonlySet<string> = new Set(['', 'null', 'undefined']);
const LONGEST_NOTHING_BYTES = 16;

/**
 * Whether a logical message states who made changes. A message that is not transactional belongs to no
 * change.
 */
export const isStatement = ({ transactional, prefix }: LogicalMessage): boolean =>
  transactional && STATEMENT_PREFIXES.includes(prefix);

/** Reads messages for which {@link isStatement} is true. Keeps only a limited part of their content. */
export class StatementReader {
  readonly #masking: ContextMasking;

  readonly #signatures: MessageSignatures;

  constructor(options: {
    /** Rules of `redact` for all tables also apply to the names of context members. */
    readonly config: Pick<TrackingConfig, 'redact' | 'secrets'>;
    readonly signatures: MessageSignatures;
  }) {
    const { config } = options;
    this.#masking = { redacted: contextRedaction(config), texts: config.secrets.defaults };
    this.#signatures = options.signatures;
  }

  /**
   * Reads a message. A message without a required signature has no known sender. It is passed over, and the
   * statement before it still applies. A signed message that is not understood is different: it may have
   * named somebody.
   *
   * @param xid of the transaction that the message belongs to
   */
  read({ prefix, content }: LogicalMessage, xid: number): Statement {
    const body = this.#signatures.open(content, xid);
    if (typeof body === 'string') return { of: 'passed over', reason: body };
    return prefix === BEMI_PREFIX ? this.#bemi(body) : this.#own(body);
  }

  /**
   * Reads a message in Waltrail's format. A member `modifier` replaces everything that was stated before.
   * Otherwise one user's address could stay with another user.
   */
  #own(content: Buffer): Statement {
    const read = readMessageObject(content, { ...OWN_FORMAT, ...this.#masking });
    if (typeof read === 'string') return { of: 'nothing', reason: read };
    const { members, context } = read;
    const modifier = members.get('modifier') ?? ABSENT;
    // Somebody acted in another person's name, so a lower rung must not name that person as the modifier.
    if (modifier.is === 'null' && (members.get('acting_as') ?? ABSENT).is !== 'null')
      return { of: 'nothing', reason: 'no modifier beside acting_as' };
    if (!members.has('modifier')) {
      return context === undefined
        ? { of: 'nothing', reason: 'neither modifier nor context' }
        : { of: 'context', context };
    }
    const key = keyOf(modifier);
    if (key === null && modifier.is !== 'null') return { of: 'nothing', reason: 'the modifier is no key' };
    const actingAs = actingAsOf(members);
    return {
      of: 'modifier and context',
      modifier:
        key === null
          ? null
          : {
              key,
              name: keyOf(members.get('name')),
              kind: kindOf(members.get('kind')),
              actingAs: typeof actingAs === 'string' ? null : actingAs,
            },
      context: context ?? null,
      unread: typeof actingAs === 'string' ? actingAs : null,
    };
  }

  /**
   * Reads a message in Bemi's format. Each message is complete: the whole object is the context, and if it
   * names nobody, there is no modifier.
   */
  #bemi(content: Buffer): Statement {
    if (content.length <= LONGEST_NOTHING_BYTES && BEMI_NOTHING.has(content.toString('utf8').trim()))
      return { of: 'modifier and context', modifier: null, context: null, unread: null };
    const read = readMessageObject(content, { ...BEMI_FORMAT, ...this.#masking });
    if (typeof read === 'string') return { of: 'nothing', reason: read };
    const values = BEMI_KEYS.map((name) => read.members.get(name));
    const key = values.map(keyOf).find((text) => text !== null) ?? null;
    if (key === null && values.some((value) => value?.is === 'other'))
      return { of: 'nothing', reason: 'the modifier is no key' };
    return {
      of: 'modifier and context',
      modifier: key === null ? null : { key, name: null, kind: null, actingAs: null },
      context: read.context ?? null,
      unread: null,
    };
  }
}

/** A missing member means the same as null. */
const ABSENT: MemberValue = { is: 'null' };

function actingAsOf(members: ReadonlyMap<string, MemberValue>): NamedActingAs | UnreadActingAs | null {
  const value = members.get('acting_as') ?? ABSENT;
  if (value.is === 'null') return null;
  const key = keyOf(value);
  if (key === null) return 'acting_as is no key';
  const inTable = members.get('acting_as_table') ?? ABSENT;
  const table = keyOf(inTable);
  if (table === null && inTable.is !== 'null') return 'acting_as_table is no table of modifiers';
  return { key, name: keyOf(members.get('acting_as_name')), table };
}

const keyOf = (value: MemberValue | undefined): string | null =>
  value?.is === 'text' && value.text !== '' ? value.text : null;

function kindOf(value: MemberValue | undefined): Kind | null {
  const text = value?.is === 'text' ? value.text : null;
  return text === 'agent' || text === 'bot' || text === 'system' ? text : null;
}
