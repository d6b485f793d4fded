import type { EntityReason } from '../pipeline/entity-types.js';
import type { IdReason } from '../pipeline/relation-plan.js';
import type { NameReason } from '../pipeline/row-name.js';
import type { Place } from '../tracking/places.js';
import type { EntryOperation } from '../tracking/rules.js';

/** What an entry says, and which key of the YAML has said so. `rule` is null where no key has. */
export interface Explanation {
  /** `schema.table`. */
  readonly table: string;
  readonly operation: EntryOperation;
  /** The key of `tables` that tracks the table. */
  readonly rule: Place;
  /** Why the change makes no entry; null: it makes one. */
  readonly leftOut: LeftOut | null;
  readonly action: ExplainedAction;
  readonly entity: {
    readonly type: string;
    readonly because: EntityReason;
    readonly rule: Place | null;
    /** Null: there is none, or a part of it is not known. */
    readonly id: string | null;
    /** Columns of the id. */
    readonly idColumns: readonly string[];
    readonly idBecause: IdReason;
    readonly idRule: Place | null;
    readonly name: string | null;
    readonly nameBecause: NameReason;
    readonly nameRule: Place | null;
  };
  /** Null: the table has no tenant. */
  readonly tenant: { readonly value: string | null; readonly rule: Place } | null;
  readonly modifier: ExplainedModifier;
  readonly values: readonly ExplainedValue[];
  /** What could not be asked, or was assumed. */
  readonly remarks: readonly string[];
}

export interface LeftOut {
  /** The key that leaves it out. `nothing changed`: every value is what it was. */
  readonly by: 'operations' | 'where' | 'skip' | 'ignore' | 'nothing changed';
  readonly rule: Place | null;
}

export interface ExplainedAction {
  /** The category. */
  readonly category: string;
  /** What is shown for it, and the key that says so; null: the category. */
  readonly shown: { readonly text: string; readonly rule: Place } | null;
  /** Rules that may have named it, which is one where that is known; empty: it is that of the operation. */
  readonly rules: readonly Place[];
  /** Rules before it of which it is not known whether they match, for a value is not known. */
  readonly unknown: readonly Place[];
}

export type ExplainedRung = 'message' | 'witness' | 'column' | 'session' | 'unattributed';

export interface ExplainedModifier {
  readonly rung: ExplainedRung;
  /** Null: nobody. */
  readonly key: string | null;
  /** Null: it is not known here; `lookup` says where it is found. */
  readonly name: string | null;
  /** In whose name the modifier acted, which messages alone say; null: in their own. */
  readonly actingAs: {
    readonly key: string;
    readonly name: string;
    /** The table of modifiers of which it is a key; null: of none. */
    readonly lookup: Lookup | null;
  } | null;
  /** Rules that may have named the modifier, which is one where that is known. */
  readonly rules: readonly Place[];
  /** The table of modifiers of which it is a key; null: of none. */
  readonly lookup: Lookup | null;
  /** Whom a column names that the change has not set; null: nobody. */
  readonly lastSetBy: { readonly key: string; readonly rule: Place | null } | null;
  /** The rungs that are asked, the first first. */
  readonly rungs: readonly AskedRung[];
}

/** A rung of the ladder, with the keys of the YAML that make it speak. */
export interface AskedRung {
  readonly rung: Exclude<ExplainedRung, 'unattributed'>;
  /** Columns or tables that are asked, as the YAML names them. */
  readonly names: readonly string[];
  readonly rules: readonly Place[];
}

/** A table that gives names to keys. */
export interface Lookup {
  /** `schema.table`. */
  readonly table: string;
  /** Its column that holds the keys. */
  readonly key: string;
  readonly rule: Place;
}

export interface ExplainedValue {
  readonly column: string;
  /** Null: there is no such side, or the value is not known. */
  readonly previous: ExplainedText | null;
  readonly updated: ExplainedText | null;
  readonly stored: Stored;
  /** What has decided how it is stored; null: nothing, or its name (see `why`). */
  readonly rule: Place | null;
  /** In words, where no key has decided. */
  readonly why: string | null;
  /** Members of JSON or hstore that are redacted; null for `rule`: for their names. */
  readonly members: readonly {
    readonly member: string;
    readonly stored: Stored;
    readonly rule: Place | null;
  }[];
  /**
   * Without lookups it is one of `values`; of several, the type of the row says which. Of an array it is that
   * of each element, of a bit mask that of each bit.
   */
  readonly labels: ExplainedLabels | null;
  /** Of members of its JSON. */
  readonly memberLabels: readonly (ExplainedLabels & { readonly member: string })[];
}

export interface ExplainedLabels {
  readonly rule: Place;
  readonly lookups: readonly Lookup[];
}

/** `ignored`: an update of it alone makes no entry, and entries do not show it. */
export type Stored =
  | 'as it is'
  | 'with secrets masked in it'
  | 'masked'
  | 'as a hash'
  | 'shortened'
  | 'left out'
  | 'ignored'
  | 'unchanged';

/** A value as it is stored: a secret is masked in it already. */
export interface ExplainedText {
  /** As PostgreSQL prints it; null: SQL null. */
  readonly text: string | null;
  /** The text that is shown for it; null: itself, or one that is looked up. */
  readonly label: string | null;
}
