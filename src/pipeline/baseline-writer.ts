import type { Relation } from '../pgoutput/reader.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { Baseline, BaselineOfTable } from './baseline.js';
import type { EntryBuilder } from './entry-builder.js';
import { OF_BASELINE, RUNG_BASELINE, type Notice, type TrailSession } from './ports.js';
import type { RelationPlan } from './relation-plan.js';
import { RowChange } from './row-change.js';
import type { TableFacts } from './table-facts.js';

/** Writes existing rows as entries. Each entry has the form that an insert of the row would have. */
export class BaselineWriter {
  readonly #trail: Pick<TrailSession, 'rows' | 'dictionary' | 'between'>;
  readonly #builder: EntryBuilder;
  readonly #planOf: (relation: Relation, facts: TableFacts) => RelationPlan;
  readonly #seqOf: (entryId: bigint) => number;
  readonly #change = new RowChange();

  constructor(options: {
    readonly trail: Pick<TrailSession, 'rows' | 'dictionary' | 'between'>;
    readonly builder: EntryBuilder;
    readonly planOf: (relation: Relation, facts: TableFacts) => RelationPlan;
    /** Returns the `seq` of an entry that belongs to no transaction. */
    readonly seqOf: (entryId: bigint) => number;
  }) {
    this.#trail = options.trail;
    this.#builder = options.builder;
    this.#planOf = options.planOf;
    this.#seqOf = options.seqOf;
  }

  /**
   * Writes a whole baseline. Call it between two transactions only.
   *
   * @param options.transaction commit LSN, commit time and xid, as {@link TrailSession.rows} takes them
   * @param options.written called after each entry
   * @param options.notice writes an entry of Waltrail's own
   */
  write(
    { tables }: Baseline,
    options: {
      readonly transaction: Buffer;
      readonly written: () => void;
      readonly notice: (notice: Notice) => void;
    },
  ): void {
    for (const { read, told } of tables) {
      this.#trail.rows.transaction(options.transaction, 0);
      const { notice, statement } = told(read === null ? 0 : this.#writeRows(read, options));
      options.notice(notice);
      this.#trail.between(statement);
    }
  }

  /** Returns the number of entries written. */
  #writeRows(
    { relation, facts, rows }: NonNullable<BaselineOfTable['read']>,
    { written }: { readonly written: () => void },
  ): number {
    const { tracked } = this.#planOf(relation, facts);
    if (tracked === null) return 0;
    let entries = 0;
    for (const row of rows) {
      const change = this.#existed(row);
      if (!(tracked.filters.insert?.(change) ?? true)) continue;
      this.#builder.baseline(tracked, change);
      entries++;
      written();
    }
    return entries;
  }

  /** Returns the change that stands for an existing row. Its modifier is unknown. */
  #existed(row: Tuple): RowChange {
    const { rows, dictionary } = this.#trail;
    const change = this.#change;
    change.seq = this.#seqOf(rows.nextId);
    change.modifierId = dictionary.modifier(OF_BASELINE);
    change.rung = RUNG_BASELINE;
    change.row = row;
    return change;
  }
}
