import { storable } from '../pg/text.js';
import type { LogicalMessage } from '../pgoutput/reader.js';
import { contextRedaction } from '../tracking/redact.js';
import type { SessionRule, TrackingConfig } from '../tracking/rules.js';
import type { Attribution } from './attribution.js';
import { OtherModifier } from './other-modifier.js';
import type { Person } from './people.js';
import { MASK, withoutSecrets } from './secret-text.js';
import {
  readSessionStatement,
  type SessionFacts,
  type SessionNamed,
  type SessionStatement,
} from './session-statement.js';

/** The person that a session names. */
export interface SessionSpeaker {
  readonly person: Person;
  /**
   * The key and its table. Null: a database login, which is never in conflict with a person (DECISIONS 94).
   */
  readonly named: { readonly table: number; readonly key: string; readonly other: OtherModifier } | null;
}

/**
 * Most speakers of one transaction that are kept by their ids. If another one is needed, the transaction is
 * read again.
 */
const MAX_REMEMBERED = 10_000;

/**
 * What the session states about the next change of its transaction. A message applies to the changes after
 * it, up to the next message (DECISIONS 94). Changes before the first message are not attributed by it.
 */
export class SessionAttribution {
  /** Null: the session names nobody. */
  speaker: SessionSpeaker | null = null;
  /** {@link SessionFacts} as JSON text. Null: there are none. */
  facts: string | null = null;
  readonly #attribution: Attribution;
  readonly #rule: SessionRule;
  readonly #publication: string;
  readonly #masked: ReadonlySet<string>;
  readonly #masksTexts: boolean;
  readonly #byId = new Map<number, SessionSpeaker>();
  #id = NO_ID;

  constructor(options: {
    readonly attribution: Attribution;
    readonly config: Pick<TrackingConfig, 'redact' | 'secrets' | 'source'>;
    readonly rule: SessionRule;
  }) {
    const { config } = options;
    this.#attribution = options.attribution;
    this.#rule = options.rule;
    this.#publication = config.source.publication;
    const redacted = contextRedaction(config);
    this.#masked = new Set(FACTS.filter((name) => redacted(name, () => `session.${name}`) === 'by rule'));
    this.#masksTexts = config.secrets.defaults;
  }

  /** Begins another transaction. */
  begin(): void {
    this.speaker = this.facts = null;
    if (this.#byId.size > 0) this.#byId.clear();
  }

  hear(message: LogicalMessage): void {
    if (!message.transactional) return;
    const statement = readSessionStatement(message, { rule: this.#rule, publication: this.#publication });
    if (statement === 'of another') return;
    this.#id = NO_ID;
    const isSure = statement !== null && !statement.within;
    this.speaker = isSure ? this.#speakerOf(statement) : null;
    this.facts = isSure ? this.#shown(statement.facts) : null;
  }

  /** Modifier id of the speaker. Call it only if there is one. */
  get id(): number {
    if (this.#id === NO_ID) {
      const speaker = this.speaker!;
      this.#id = this.#attribution.idOf(speaker.person);
      if (this.#byId.size < MAX_REMEMBERED) this.#byId.set(this.#id, speaker);
    }
    return this.#id;
  }

  /** Returns the speaker of a modifier id in this transaction. Undefined: it is no longer known. */
  byId(id: number): SessionSpeaker | undefined {
    return this.#byId.get(id);
  }

  #speakerOf({ named, facts }: SessionStatement): SessionSpeaker | null {
    if (named !== null && this.#isSomebody(named)) {
      const person = this.#attribution.people(named.table).person(named.key);
      const other = new OtherModifier(person, { redactor: null, rung: 'session' });
      return { person, named: { ...named, other } };
    }
    return this.#rule.databaseUser
      ? { person: this.#attribution.databaseUser(facts.user), named: null }
      : null;
  }

  #isSomebody({ onlyKnown, table, key }: SessionNamed): boolean {
    return !onlyKnown || this.#attribution.people(table).isKnown(key);
  }

  #shown(facts: SessionFacts): string {
    const shown = FACTS.flatMap((name) => {
      const text = facts[name];
      if (text === null) return [];
      const masked = this.#masked.has(name) ? MASK : this.#masksTexts ? withoutSecrets(text) : null;
      return [[name, storable(masked ?? text)]];
    });
    return JSON.stringify(Object.fromEntries(shown));
  }
}

/** In the order in which they are stored. */
const FACTS = ['user', 'role', 'application', 'address'] as const satisfies readonly (keyof SessionFacts)[];
const NO_ID = -1;
