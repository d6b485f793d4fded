import type { LogicalMessage } from '../pgoutput/reader.js';
import { contextRedaction } from '../tracking/redact.js';
import type { Kind, TrackingConfig } from '../tracking/rules.js';
import type { ContextMasking } from './context-writer.js';
import { readMessageObject, type MemberValue, type MessageFormat, type Unreadable } from './message-json.js';
import type { MessageSignatures, Unsigned } from './signature.js';

/** Who made changes, as a logical message names them. */
export interface NamedModifier {
  readonly key: string;
  /** Null: the message does not say. */
  readonly name: string | null;
  readonly kind: Kind | null;
  /** Null: nobody. */
  readonly actingAs: NamedActingAs | null;
}

/** In whose name the modifier acted, as a logical message names them (DECISIONS 104). */
export interface NamedActingAs {
  readonly key: string;
  /** Null: the message does not say. */
  readonly name: string | null;
  /** Whose key it is: a name under `modifiers` of the YAML; null: the first. */
  readonly table: string | null;
}

/**
 * What a logical message says of the changes that follow it (DECISIONS 36). `modifier` null: nobody, so lower
 * rungs speak. `context` is JSON text; null without one.
 */
export type Statement =
  | {
      readonly of: 'modifier and context';
      readonly modifier: NamedModifier | null;
      readonly context: string | null;
      /** Why it is not known whom the modifier acted as, where the message says something of it. */
      readonly unread: Misunderstood | null;
    }
  | { readonly of: 'context'; readonly context: string | null }
  | { readonly of: 'nothing'; readonly reason: Misunderstood }
  | { readonly of: 'passed over'; readonly reason: Unsigned };

/** Why a message was not understood. Stored, so these words stay as they are. */
export type Misunderstood =
  | Unreadable
  | 'neither modifier nor context'
  | 'the modifier is no key'
  | 'no modifier beside acting_as'
  | UnreadActingAs
  | 'reading it failed';
/** Why a message that names the modifier has not said whom that one acted as. */
export type UnreadActingAs = 'acting_as is no key' | 'acting_as_table is no table of modifiers';
/** Why a message has named nobody. */
export type Unread = Misunderstood | Unsigned;

/**
 * Prefix of our own messages, and that of the Bemi ORM packages, which serve as context providers unchanged.
 */
const PREFIX = 'waltrail';
const BEMI_PREFIX = '_bemi';
/** Prefixes of the transactional messages that say who made changes. */
export const STATEMENT_PREFIXES: readonly string[] = [PREFIX, BEMI_PREFIX];

/** Where a Bemi context usually says who it was, the first that is there. */
const BEMI_KEYS = ['modifier', 'user_id', 'userId', 'userID'];

const OWN_FORMAT: MessageFormat = {
  members: new Set(['modifier', 'name', 'kind', 'acting_as', 'acting_as_name', 'acting_as_table']),
  context: 'context',
};
const BEMI_FORMAT: MessageFormat = { members: new Set(BEMI_KEYS), context: null };
/** What Bemi's packages send where the application has set no context. */
const BEMI_NOTHING: ReadonlySet<string> = new Set(['', 'null', 'undefined']);
const LONGEST_NOTHING_BYTES = 16;

/** Whether a logical message says who made changes. One that is not transactional belongs to no change. */
export const isStatement = ({ transactional, prefix }: LogicalMessage): boolean =>
  transactional && STATEMENT_PREFIXES.includes(prefix);

/** Reads what {@link isStatement} has found to be one; never more than a part of its content is kept. */
export class StatementReader {
  readonly #masking: ContextMasking;

  readonly #signatures: MessageSignatures;

  constructor(options: {
    /** Rules of `redact` for every table hold for the names of context members too. */
    readonly config: Pick<TrackingConfig, 'redact' | 'secrets'>;
    readonly signatures: MessageSignatures;
  }) {
    const { config } = options;
    this.#masking = { redacted: contextRedaction(config), texts: config.secrets.defaults };
    this.#signatures = options.signatures;
  }

  /**
   * A message that should be signed and is not is the word of nobody: it is passed over, and what was said
   * before it stands. That is unlike one that is signed and not understood, which may have named somebody.
   *
   * @param xid of the transaction that the message belongs to
   */
  read({ prefix, content }: LogicalMessage, xid: number): Statement {
    const body = this.#signatures.open(content, xid);
    if (typeof body === 'string') return { of: 'passed over', reason: body };
    return prefix === BEMI_PREFIX ? this.#bemi(body) : this.#own(body);
  }

  /**
   * A member `modifier` replaces all that was said before: else the address of one user would stick to
   * another.
   */
  #own(content: Buffer): Statement {
    const read = readMessageObject(content, { ...OWN_FORMAT, ...this.#masking });
    if (typeof read === 'string') return { of: 'nothing', reason: read };
    const { members, context } = read;
    const modifier = members.get('modifier') ?? ABSENT;
    // Somebody acted in another's name, so no lower rung may say that it was that one.
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

  /** Every one is complete: the whole object is the context, and who is not named is nobody. */
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

/** A member that is not there says as much as null. */
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
