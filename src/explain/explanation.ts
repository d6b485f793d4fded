import type { EntityReason } from '../pipeline/entity-types.js';
import type { IdReason } from '../pipeline/relation-plan.js';
import type { NameReason } from '../pipeline/row-name.js';
import type { Place } from '../tracking/places.js';
import type { EntryOperation } from '../tracking/rules.js';

/** What an entry shows, and which key of the YAML decided it. `rule` is null if no key did. */
export interface Explanation {
  /** `schema.table`. */
  readonly table: string;
  readonly operation: EntryOperation;
  /** The key of `tables` that tracks the table. */
  readonly rule: Place;
  /** Why the change makes no entry; null if it makes one. */
  readonly leftOut: LeftOut | null;
  readonly action: ExplainedAction;
  readonly entity: {
    readonly type: string;
    readonly because: EntityReason;
    readonly rule: Place | null;
    /** Null if there is none, or if a part of it is not known. */
    readonly id: string | null;
    /** Columns of the id. */
    readonly idColumns: readonly string[];
    readonly idBecause: IdReason;
    readonly idRule: Place | null;
    readonly name: string | null;
    readonly nameBecause: NameReason;
    readonly nameRule: Place | null;
  };
  /** Null if the table has no tenant. */
  readonly tenant: { readonly value: string | null; readonly rule: Place } | null;
  readonly modifier: ExplainedModifier;
  readonly values: readonly ExplainedValue[];
  /** Sentences about what could not be asked, or was assumed. */
  readonly remarks: readonly string[];
}

export interface LeftOut {
  /** The key that leaves the change out. `nothing changed`: every value is the same as before. */
  readonly by: 'operations' | 'where' | 'skip' | 'ignore' | 'nothing changed';
  readonly rule: Place | null;
}

export interface ExplainedAction {
  /** The category of the action. */
  readonly category: string;
  /** The text shown for the category, and the key that gives it; null if the category itself is shown. */
  readonly shown: { readonly text: string; readonly rule: Place } | null;
  /** Rules that may have named the action: one if that is known. Empty for the default of the operation. */
  readonly rules: readonly Place[];
  /** Earlier rules that depend on an unknown value, so that they may or may not match. */
  readonly unknown: readonly Place[];
}

export type ExplainedRung = 'message' | 'witness' | 'column' | 'session' | 'unattributed';

export interface ExplainedModifier {
  readonly rung: ExplainedRung;
  /** Null if nobody is named. */
  readonly key: string | null;
  /** Null if the name is not known here; `lookup` tells where capture finds it. */
  readonly name: string | null;
  /** The person in whose name the modifier acted, which only a message can state. Null: in their own name. */
  readonly actingAs: {
    readonly key: string;
    readonly name: string;
    /** The table of modifiers that has the key. Null: none has it. */
    readonly lookup: Lookup | null;
  } | null;
  /** Rules that may have named the modifier. If it is known which rule did, only that one. */
  readonly rules: readonly Place[];
  /** The table of modifiers that the key belongs to; null if there is none. */
  readonly lookup: Lookup | null;
  /** The person named by a column that the change did not set; null if there is none. */
  readonly lastSetBy: { readonly key: string; readonly rule: Place | null } | null;
  /** The rungs that are asked, in order. */
  readonly rungs: readonly AskedRung[];
}

/** A rung of the ladder, with the keys of the YAML that enable it. */
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
  /** Null if there is no such side, or if the value is not known. */
  readonly previous: ExplainedText | null;
  readonly updated: ExplainedText | null;
  readonly stored: Stored;
  /** The key that decided how the value is stored. Null if no key did (see `why`). */
  readonly rule: Place | null;
  /** Why the value is stored like this, if no key decided it. */
  readonly why: string | null;
  /** Members of JSON or hstore that are redacted; `rule` is null if their names are the reason. */
  readonly members: readonly {
    readonly member: string;
    readonly stored: Stored;
    readonly rule: Place | null;
  }[];
  /**
   * Rules for the labels of the value, of each element of an array, or of each bit of a bit mask. Without
   * lookups, the label is one of `values`. If there are several lookups, the type of the row decides.
   */
  readonly labels: ExplainedLabels | null;
  /** Rules for the labels of members of its JSON. */
  readonly memberLabels: readonly (ExplainedLabels & { readonly member: string })[];
}

export interface ExplainedLabels {
  readonly rule: Place;
  readonly lookups: readonly Lookup[];
}

/** How a value is stored. `ignored`: an update of it alone makes no entry, and entries do not show it. */
export type Stored =
  | 'as it is'
  | 'with secrets masked in it'
  | 'masked'
  | 'as a hash'
  | 'shortened'
  | 'left out'
  | 'ignored'
  | 'unchanged';

/** A value as it is stored, with secrets masked in it. */
export interface ExplainedText {
  /** As PostgreSQL prints it; null for SQL null. */
  readonly text: string | null;
  /** The text shown for it; null if the value itself is shown, or if the label is looked up. */
  readonly label: string | null;
}
