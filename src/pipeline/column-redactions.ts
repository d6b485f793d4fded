import type { Relation } from '../pgoutput/reader.js';
import { usesOfTable } from '../tracking/column-uses.js';
import type { ColumnName } from '../tracking/names.js';
import { exemptColumns, redactionOf, wholeRedaction, type Redaction } from '../tracking/redact.js';
import type { RedactWith, TrackingConfig } from '../tracking/rules.js';
import { valueKind } from '../tracking/value-kind.js';
import type { FollowedColumn } from './followed-columns.js';
import type { RedactedColumn } from './ports.js';
import { redactorOf, withinRedactor, type Look, type Redactor } from './redaction.js';
import { NO_FACTS, type TableFacts } from './table-facts.js';

/** How one column of a relation version is redacted. */
export interface ColumnRedaction {
  readonly redaction: Redaction;
  readonly redactor: Redactor | null;
  readonly look: Look;
  /**
   * What is remembered of a redacted column, so that it stays redacted under another name. Null: the column
   * is not redacted as a whole, or its number is unknown.
   */
  readonly remembered: RedactedColumn | null;
}

/**
 * Returns the redaction of each column of a relation, by index. A redacted column stays redacted under a name
 * that the YAML does not know (DECISIONS 62).
 *
 * @param options.followed the attribute of each column
 * @param options.primaryKey columns of the primary key, by their names in the relation
 * @param options.remembered columns of the table that were redacted before, by number
 */
export function columnRedactions(options: {
  /** The relation, under the name by which it is tracked. */
  readonly relation: Relation;
  readonly config: TrackingConfig;
  readonly facts: TableFacts | undefined;
  readonly remembered: ReadonlyMap<number, ColumnName>;
  readonly followed: readonly FollowedColumn[];
  readonly primaryKey: readonly string[];
  readonly redactionKey: Buffer;
}): readonly ColumnRedaction[] {
  const { relation, config, redactionKey, followed, primaryKey, facts = NO_FACTS } = options;
  const oid = relation.oid >>> 0;
  const exempt = exemptColumns(config, relation, primaryKey);
  const remembered = namesByNumber([facts.named, options.remembered]);
  const names = relation.columns.map(({ name }) => name);
  const isWhole = [...remembered.values()].every((known) =>
    known.some(({ column: earlier }) => names.includes(earlier)),
  );
  let used: ReadonlySet<string> | undefined;
  const isUsed = (column: string): boolean =>
    (used ??= new Set(usesOfTable(config, relation).map((use) => use.column))).has(column);

  return relation.columns.map(({ name: column, typeOid }, index) => {
    const { number, maybe } = followed[index]!;
    const kind = valueKind(typeOid, facts.types);
    const name = { schema: relation.schema, table: relation.table, column };
    const given = { kind, exempt: exempt.has(column) };
    /**
     * Returns the redaction of the first of these columns that is redacted, and the name it had. Null: none
     * is.
     */
    const redactedAs = (numbers: Iterable<number>): { as: ColumnName; with: RedactWith } | null => {
      for (const known of numbers) {
        for (const as of remembered.get(known) ?? []) {
          const found = wholeRedaction(config, as, given);
          if (found !== null) return { as, with: found };
        }
      }
      return null;
    };
    let before: ReturnType<typeof redactedAs> = null;
    if (number !== null) before = redactedAs([number]);
    // Without a number, the column may be any remembered column that was renamed, until the YAML names it.
    else if (!isUsed(column) && !(isWhole && facts.attributes === null))
      before = redactedAs(maybe.length > 0 ? maybe : remembered.keys());
    const redaction = redactionOf(config, name, { ...given, followed: before });
    const {
      schema,
      table,
      column: as,
    } = wholeRedaction(config, name, given) === null ? (before?.as ?? name) : name;
    const within = redaction.within ? withinRedactor({ config, name, kind, key: redactionKey }) : null;
    return {
      redaction,
      redactor: redactorOf(redaction.whole, {
        key: redactionKey,
        within: within?.redactor ?? null,
      }),
      look: redaction.whole === null ? (within?.look ?? null) : null,
      remembered:
        redaction.whole === null || number === null ? null : { schema, table, column: as, oid, number },
    };
  });
}

/**
 * Returns every name by which a column was redacted. Earlier configurations may have redacted it by other
 * names than the current one.
 */
function namesByNumber(
  sources: readonly ReadonlyMap<number, ColumnName>[],
): ReadonlyMap<number, readonly ColumnName[]> {
  const names = new Map<number, readonly ColumnName[]>();
  for (const [number, name] of sources.flatMap((source) => [...source]))
    names.set(number, [...(names.get(number) ?? []), name]);
  return names;
}
