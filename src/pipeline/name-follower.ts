import { readableText } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';
import { partText } from './naming.js';
import { redactedText } from './redaction.js';
import type { LookupName, Lookups } from './ports.js';
import type { NamesPlan } from './relation-plan.js';

const MAX_GONE = 10_000;
/** Names of rows of lookup tables are made of their own columns only. */
const NO_TENANT = (): null => null;

/**
 * Follows the tables that give names to keys (modifiers, labels) in the stream, so that a name is the name as
 * of the change. A change of a name counts from the next change on: the entry of a rename still shows the old
 * one.
 */
export class NameFollower {
  readonly #lookups: Lookups;
  readonly #changed: (table: string) => void;
  /** Names of deleted rows go at the end of the transaction: rows that cascade after them still show them. */
  readonly #gone = new Map<string, { readonly table: string; readonly key: string }>();

  constructor(options: { readonly lookups: Lookups; readonly changed: (table: string) => void }) {
    this.#lookups = options.lookups;
    this.#changed = options.changed;
  }

  inserted(plans: readonly NamesPlan[], row: Tuple): void {
    for (const plan of plans) this.#set(plan, row);
  }

  updated(
    plans: readonly NamesPlan[],
    change: { readonly previous: Tuple; readonly oldRow: string; readonly updated: Tuple },
  ): void {
    for (const plan of plans) {
      if (change.oldRow === 'full' && this.#same(plan, change.previous, change.updated)) continue;
      if (change.oldRow !== 'none') {
        const previousKey = keyOf(plan, change.previous);
        if (previousKey !== null && previousKey !== keyOf(plan, change.updated))
          this.#remove(plan.table, previousKey);
      }
      this.#set(plan, change.updated);
    }
  }

  deleted(plans: readonly NamesPlan[], row: Tuple): void {
    for (const plan of plans) {
      const key = keyOf(plan, row);
      if (key !== null) this.#remove(plan.table, key);
    }
  }

  truncated(plans: readonly NamesPlan[]): void {
    for (const { table } of plans) {
      this.#lookups.clear(table);
      this.#changed(table);
    }
  }

  endTransaction(): void {
    if (this.#gone.size === 0) return;
    for (const { table, key } of this.#gone.values()) {
      this.#lookups.set(table, key, null);
      this.#changed(table);
    }
    this.#gone.clear();
  }

  #set(plan: NamesPlan, row: Tuple): void {
    const key = keyOf(plan, row);
    const name = this.#nameOf(plan, row);
    if (key === null || name === null) return;
    this.#gone.delete(JSON.stringify([plan.table, key]));
    this.#lookups.set(plan.table, key, name);
    this.#changed(plan.table);
  }

  #remove(table: string, key: string): void {
    this.#gone.set(JSON.stringify([table, key]), { table, key });
    // Memory is bounded before the cosmetics of a mass delete are right.
    if (this.#gone.size > MAX_GONE) this.endTransaction();
  }

  #nameOf(plan: NamesPlan, row: Tuple): LookupName | null {
    let name = '';
    let found = false;
    for (const part of plan.name) {
      const bytes =
        'text' in part
          ? part.text
          : partText(part, row, { redactors: plan.redactors, lookups: this.#lookups, tenant: NO_TENANT });
      if (bytes !== null)
        name += 'text' in part ? part.text.toString() : readableText(bytes, 0, bytes.length);
      found ||= 'column' in part && bytes !== null;
    }
    if (!found) return null;
    const tenant = textOf(plan, row, plan.tenantColumn);
    if (plan.kind === null) return { name, kind: null, tenant };
    const value = row.text(plan.kind.column);
    const kind =
      value === null
        ? 'agent'
        : plan.kind.bot.has(value)
          ? 'bot'
          : plan.kind.system.has(value)
            ? 'system'
            : 'agent';
    return { name, kind, tenant };
  }

  /** Most updates of such a table touch neither key nor name; they must cost nothing. */
  #same(plan: NamesPlan, previous: Tuple, updated: Tuple): boolean {
    if (previous.text(plan.keyColumn) !== updated.text(plan.keyColumn)) return false;
    const before = this.#nameOf(plan, previous);
    const after = this.#nameOf(plan, updated);
    return before?.name === after?.name && before?.kind === after?.kind && before?.tenant === after?.tenant;
  }
}

const keyOf = (plan: NamesPlan, row: Tuple): string | null => textOf(plan, row, plan.keyColumn);

/** A key or a tenant as the entries have it: redacted where the column is. Null without such a column. */
function textOf({ redactors }: NamesPlan, row: Tuple, column: number): string | null {
  if (column < 0 || !row.has(column)) return null;
  const redactor = redactors[column];
  return redactor ? redactedText(redactor, row, column) : row.text(column);
}
