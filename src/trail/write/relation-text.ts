import { storable } from '../../pg/text.js';
import type { BitWords, MemberWords, RelationVersion } from '../../pipeline/ports.js';

/**
 * Makes the labels of a version storable. Names from the source already are. Texts from the YAML may not be.
 */
export const storableVersion = (version: RelationVersion): RelationVersion => ({
  ...version,
  columns: version.columns.map((column) =>
    column.values === undefined && column.bits === undefined && column.members === undefined
      ? column
      : {
          ...column,
          ...(column.values === undefined ? {} : { values: storableWords(column.values) }),
          ...(column.bits === undefined
            ? {}
            : { bits: { ...column.bits, words: storableWords(column.bits.words) } }),
          ...(column.members === undefined ? {} : { members: column.members.map(storableMember) }),
        },
  ),
});

const storableWords = (words: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(words).map(([value, word]) => [storable(value), storable(word)]));

const storableMember = ({ path, values, ...rest }: MemberWords): MemberWords => ({
  path: path.map(storable),
  ...(values === undefined ? {} : { values: storableWords(values) }),
  ...rest,
});

/** Returns the same text for equal versions, whatever the order in which jsonb returned the members. */
export const relationText = (version: RelationVersion): string =>
  JSON.stringify([
    version.schema,
    version.table,
    version.columns.map(({ name, type, base, values, label, labelType, redacted, array, bits, members }) => [
      name,
      base === undefined ? type : [type, base],
      values === undefined ? null : Object.entries(values).sort(),
      label ?? null,
      redacted === undefined
        ? null
        : [redacted.oid, redacted.number, redacted.schema, redacted.table, redacted.column],
      ...(labelType === undefined ? [] : [labelType]),
      ...(array === undefined && bits === undefined && members === undefined
        ? []
        : [partsText({ array, bits, members })]),
    ]),
  ]);

const partsText = ({
  array,
  bits,
  members = [],
}: {
  readonly array: true | undefined;
  readonly bits: BitWords | undefined;
  readonly members: readonly MemberWords[] | undefined;
}): readonly unknown[] => [
  array ?? false,
  bits === undefined ? null : [bits.width, Object.entries(bits.words).sort()],
  members.map(({ path, values, label }) => [
    path,
    values === undefined ? null : Object.entries(values).sort(),
    label ?? null,
  ]),
];
