import { readableText } from '../pg/text.js';
import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import { partText, shownPart } from './naming.js';
import { sentIn } from './old-row.js';
import { redactedText } from './redaction.js';
import type { LookupName, Lookups } from './ports.js';
import type { NamesPlan } from './names-plan.js';
import { tenantBehind } from './tenant-steps.js';

/** Most keys of deleted rows that are held for a transaction: about 80 bytes each. */
const MAX_GONE = 100_000;
/** Names of rows in lookup tables come from their own columns only, so no tenant is needed. */
const NO_TENANT = (): null => null;

/**
 * Follows lookup tables (modifiers, labels, tenants) in the stream, so that each entry has the names of its
 * time. A changed name applies from the next change: the entry of a rename still shows the old name.
 */
export class NameFollower {
  readonly #lookups: Lookups;
  readonly #changed: (lookup: string) => void;
  /**
   * Keys of deleted rows, by lookup. Their names are removed at the end of the transaction, because rows that
   * are deleted by cascade after them still need these names and tenants.
   */
  readonly #gone = new Map<string, Set<string>>();
  #goneCount = 0;

  constructor(options: { readonly lookups: Lookups; readonly changed: (lookup: string) => void }) {
    this.#lookups = options.lookups;
    this.#changed = options.changed;
  }

  inserted(plans: readonly NamesPlan[], row: Tuple): void {
    for (const plan of plans) this.#set(plan, row, null);
  }

  updated(
    plans: readonly NamesPlan[],
    change: { readonly previous: Tuple; readonly oldRow: string; readonly updated: Tuple },
  ): void {
    const { updated } = change;
    const previous = change.oldRow === 'none' ? null : change.previous;
    for (const plan of plans) {
      if (change.oldRow === 'full' && this.#same(plan, change.previous, updated)) continue;
      if (change.oldRow === 'none' && this.#isKnown(plan, updated)) continue;
      const previousKey = previous === null ? null : keyOf(plan, previous);
      if (previousKey !== null && previousKey !== keyOf(plan, sentIn(plan.keyColumn, updated, previous)!))
        this.#remove(plan.lookup, previousKey);
      this.#set(plan, updated, previous);
    }
  }

  deleted(plans: readonly NamesPlan[], row: Tuple): void {
    for (const plan of plans) {
      const key = keyOf(plan, row);
      if (key !== null) this.#remove(plan.lookup, key);
    }
  }

  truncated(plans: readonly NamesPlan[]): void {
    for (const { lookup } of plans) {
      this.#lookups.clear(lookup);
      this.#changed(lookup);
    }
  }

  endTransaction(): void {
    if (this.#goneCount === 0) return;
    for (const [lookup, keys] of this.#gone) {
      for (const key of keys) this.#lookups.set(lookup, key, null);
      this.#changed(lookup);
    }
    this.#gone.clear();
    this.#goneCount = 0;
  }

  #set(plan: NamesPlan, row: Tuple, previous: Tuple | null): void {
    const holder = sentIn(plan.keyColumn, row, previous);
    const key = holder === null ? null : keyOf(plan, holder);
    const name = this.#nameOf(plan, row, previous);
    if (key === null || name === null) return;
    if (this.#gone.get(plan.lookup)?.delete(key) === true) this.#goneCount--;
    this.#lookups.set(plan.lookup, key, name);
    this.#changed(plan.lookup);
  }

  #remove(lookup: string, key: string): void {
    const gone = this.#gone.get(lookup) ?? new Set();
    if (gone.has(key)) return;
    this.#gone.set(lookup, gone.add(key));
    // Memory must stay limited. After a larger delete, rows that are deleted by cascade show keys and have no
    // tenant.
    if (++this.#goneCount > MAX_GONE) this.endTransaction();
  }

  /**
   * Returns the name of a row. Null: there is no name, because its columns are null or empty, or a part of it
   * or its tenant was not sent. The known name then stays, which is better than a name with a part missing
   * or with a wrong tenant.
   */
  #nameOf(plan: NamesPlan, row: Tuple, previous: Tuple | null): LookupName | null {
    let name = '';
    let blank = '';
    let found = false;
    for (const part of plan.name) {
      if ('text' in part) {
        if (part.isBlank) blank = part.text.toString();
        else {
          name += (name === '' ? '' : blank) + part.text.toString();
          blank = '';
        }
        continue;
      }
      const shown = shownPart(part, row, previous);
      const holder = sentIn(shown.column, row, previous);
      if (isUnsent(holder, shown.column)) return null;
      const naming = { redactors: plan.redactors, lookups: this.#lookups, tenant: NO_TENANT };
      const bytes = partText(shown, holder, naming);
      if (bytes === null || (bytes.length === 0 && !plan.isColumn)) continue;
      name += (name === '' ? '' : blank) + readableText(bytes, 0, bytes.length);
      blank = '';
      found = true;
    }
    if (!found && !plan.isColumn) return null;
    const { tenantColumn } = plan;
    const tenantHolder = tenantColumn < 0 ? row : sentIn(tenantColumn, row, previous);
    if (tenantColumn >= 0 && isUnsent(tenantHolder, tenantColumn)) return null;
    // The tenant as of this change. Later, the row that leads to it may get another tenant, and this name
    // keeps its own.
    const key = textOf(plan, tenantHolder!, tenantColumn);
    const way = { steps: plan.tenantSteps, lookups: this.#lookups };
    const tenant = key === null ? null : (tenantBehind(key, way) ?? null);
    if (plan.kind === null) return { name, kind: null, tenant };
    const { column, bot, system } = plan.kind;
    const holder = sentIn(column, row, previous);
    if (isUnsent(holder, column)) return null;
    const value = holder.text(column) ?? '';
    return { name, kind: bot.has(value) ? 'bot' : system.has(value) ? 'system' : 'agent', tenant };
  }

  /** Whether an update changed neither key nor name. This is so for most updates, which must cost nothing. */
  #same(plan: NamesPlan, previous: Tuple, updated: Tuple): boolean {
    const updatedKey = sentIn(plan.keyColumn, updated, previous)!.text(plan.keyColumn);
    if (previous.text(plan.keyColumn) !== updatedKey) return false;
    const before = this.#nameOf(plan, previous, null);
    const after = this.#nameOf(plan, updated, previous);
    return before?.name === after?.name && before?.kind === after?.kind && before?.tenant === after?.tenant;
  }

  /**
   * Whether a row with an unchanged key still has its known name. Answers for names in memory only. The trail
   * compares all others (trail/write/stored-names.ts).
   */
  #isKnown(plan: NamesPlan, updated: Tuple): boolean {
    const key = keyOf(plan, updated);
    const known = key === null ? undefined : this.#lookups.get(plan.lookup, key);
    if (key === null || known === undefined || this.#gone.get(plan.lookup)?.has(key) === true) return false;
    const name = this.#nameOf(plan, updated, null);
    return name?.name === known.name && name.kind === known.kind && name.tenant === known.tenant;
  }
}

const isUnsent = (holder: Tuple | null, column: number): holder is null =>
  holder === null || holder.lengths[column] === LENGTH_UNCHANGED;

const keyOf = (plan: NamesPlan, row: Tuple): string | null => textOf(plan, row, plan.keyColumn);

/**
 * Returns a key or a tenant as entries have it, redacted if its column is. Null: there is no such column or
 * no value.
 */
function textOf({ redactors }: NamesPlan, row: Tuple, column: number): string | null {
  if (column < 0 || !row.has(column)) return null;
  const redactor = redactors[column];
  return redactor ? redactedText(redactor, row, column) : row.text(column);
}
