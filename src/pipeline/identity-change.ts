import type { Relation } from '../pgoutput/reader.js';
import { identityName } from '../tracking/identity-name.js';
import { formatTable } from '../tracking/names.js';
import type { EntryBuilder } from './entry-builder.js';
import { OWN, TRACKING_TABLE, type Dictionary } from './ports.js';

const FULL = 'f';

/**
 * Follows the replica identity of tracked tables. A Relation message has the identity of the changes that
 * follow it. A look may miss an identity that was changed and changed back. If the identity changes, an entry
 * states what is sent of the rows that follow.
 */
export class IdentityFollower {
  readonly #dictionary: Dictionary;
  readonly #builder: EntryBuilder;
  readonly #looked: (relationOid: number) => string | undefined;
  /** By table oid, as of the last Relation message. */
  readonly #identities = new Map<number, string>();

  /**
   * @param options.looked returns the identity that the last look found; undefined: no look has seen the
   *   table
   */
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
   * Records the replica identity of a Relation message, if it has changed.
   *
   * @param options.known the relation under the name by which it is tracked
   * @returns true if an entry was written
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
   * Returns the identity that the first message of a session is expected to have. The message may be much
   * older than the look, so a full identity is never reported as a change.
   */
  #expected(oid: number, now: string): string {
    return now === FULL ? now : (this.#looked(oid) ?? now);
  }
}

const sentWith = (identity: string): string => `rows sent with replica identity ${identityName(identity)}`;
