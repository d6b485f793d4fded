import type { Relation } from '../pgoutput/reader.js';
import { identityName } from '../tracking/identity-name.js';
import { formatTable } from '../tracking/names.js';
import type { EntryBuilder } from './entry-builder.js';
import { OWN, TRACKING_TABLE, type Dictionary } from './ports.js';

const FULL = 'f';

/**
 * Follows the replica identity of tracked tables: a Relation message has it as of the changes that follow,
 * where a look may see only what it became again. An entry says what of the rows behind it was sent.
 */
export class IdentityFollower {
  readonly #dictionary: Dictionary;
  readonly #builder: EntryBuilder;
  readonly #looked: (relationOid: number) => string | undefined;
  /** By oid, as of the last relation message. */
  readonly #identities = new Map<number, string>();

  /** `looked`: the identity that the last look found; undefined: none has seen the table. */
  constructor(options: {
    readonly dictionary: Dictionary;
    readonly builder: EntryBuilder;
    readonly looked: (relationOid: number) => string | undefined;
  }) {
    this.#dictionary = options.dictionary;
    this.#builder = options.builder;
    this.#looked = options.looked;
  }

  /**
   * @param known the relation under the name by which it is tracked
   * @returns true when an entry was written
   */
  follow(
    { oid, replicaIdentity: now }: Relation,
    options: { readonly known: Relation; readonly seq: number },
  ): boolean {
    const before = this.#identities.get(oid) ?? this.#expected(oid, now);
    this.#identities.set(oid, now);
    if (before === now) return false;
    const { known, seq } = options;
    this.#builder.own({
      seq,
      relationId: this.#dictionary.relation(TRACKING_TABLE),
      entityTypeId: this.#dictionary.entityType(OWN),
      actionId: this.#dictionary.action('tracking'),
      entityId: null,
      entityName: formatTable(known),
      previous: [sentWith(before)],
      updated: [sentWith(now)],
    });
    return true;
  }

  /**
   * Of the first message of a session, which may come long before what the look saw: a full identity is never
   * news.
   */
  #expected(oid: number, now: string): string {
    return now === FULL ? now : (this.#looked(oid) ?? now);
  }
}

const sentWith = (identity: string): string => `rows sent with replica identity ${identityName(identity)}`;
