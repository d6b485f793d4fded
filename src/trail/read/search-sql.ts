import { FIRST_COLUMN, RUNG, throughOf, UNATTRIBUTED } from '../../pipeline/ports.js';
import { BEHIND_ESCAPE, escaped } from '../values.js';
import { shownActionSql } from './moved.js';
import { pattern, type SqlValues } from './parameters.js';
import {
  inScope,
  namedSql,
  type ShownLabels,
  type ShownParts,
  type ShownValues,
  type ShownWords,
} from './search.js';
import { keysSql, partSql } from './search-parts.js';

interface SearchOptions {
  readonly words: ShownWords;
  readonly parameters: SqlValues;
  /** Id of the reader's tenant, as an SQL expression, and its name; null: the reader sees all tenants. */
  readonly scope: { readonly id: string; readonly name: string } | null;
}

/**
 * Returns the condition that a search matches one side of an entry: before or after the change. For a reader
 * of one tenant, only the tenant's side counts.
 */
export function onSides(
  found: { readonly before: string; readonly after: string },
  scope: string | null,
): string {
  const { before, after } = found;
  if (scope === null) return `(${after} or ${before})`;
  return `((${after}) and e.previous_tenant_id is distinct from ${scope}
    or (${before}) and coalesce(e.previous_tenant_id, ${scope}) = ${scope})`;
}

/** Returns the condition that something shown for `entry e` contains a text, ignoring case. */
export function searchSql(q: string, options: SearchOptions): string {
  const contains = textsSql(q, options);
  const scope = options.scope?.id ?? null;
  const sides = onSides(
    {
      before: [
        contains.text('e.previous_entity_name'),
        contains.text('e.previous_entity_id'),
        contains.value('e.previous'),
        ...shownSql('e.previous', options),
      ].join(' or '),
      after: [
        contains.text('e.entity_name'),
        contains.text('e.entity_id'),
        contains.value('e.updated'),
        ...shownSql('e.updated', options),
      ].join(' or '),
    },
    scope,
  );
  return `(${[...wordsSql(options), sides].join(' or ')})`;
}

/**
 * Texts that begin with the second character of a mark. Marks (values.ts) begin with an escape, and a search
 * for such a text would find the character after the escape.
 */
const LOOKS_LIKE_MARK = new RegExp(`^[${BEHIND_ESCAPE.replaceAll('[', '\\[')}]`, 'i');

function textsSql(
  q: string,
  { parameters, words }: SearchOptions,
): { readonly text: (column: string) => string; readonly value: (column: string) => string } {
  // Ignoring case only for ASCII letters takes a quarter of the time. A text without letters has no case.
  const ascii = /^[\x01-\x7f]*$/.test(q);
  const collation = ascii ? ' collate "C"' : words.collation;
  const like = ascii && !/[a-z]/i.test(q) ? 'like' : 'ilike';
  const plain = parameters.add(pattern(q), 'text');
  const inValues = parameters.add(pattern(escaped(q)), 'text');
  return {
    text: (column) => `${column}${collation} ${like} ${plain}`,
    value: (column) => {
      const contains = `${column}${collation} ${like} ${inValues}`;
      if (!LOOKS_LIKE_MARK.test(q)) return contains;
      return `(${contains} and regexp_replace(${column}, E'\\x1b.', '', 'g')${collation} ${like} ${inValues})`;
    },
  };
}

/** Returns conditions on what an entry shows on both sides. They are cheap, so they come first. */
function wordsSql({ words, parameters, scope }: SearchOptions): string[] {
  const { modifiers, actions, entityTypes, nobody, own } = words;
  const action = scope === null ? 'e.action_id' : shownActionSql(scope.id);
  return [
    ...(modifiers === null
      ? [
          `e.modifier_id in (${namedSql(
            `${parameters.add(words.pattern, 'text')}${words.collation}`,
            scope === null ? null : parameters.add(scope.name, 'text'),
          )})`,
        ]
      : modifiers.length === 0
        ? []
        : [`e.modifier_id = any(${parameters.add(modifiers, 'int4[]')})`]),
    ...(nobody ? [`e.modifier_id = ${UNATTRIBUTED} and e.rung <> '${RUNG.own}'`] : []),
    ...(own ? [`e.rung = '${RUNG.own}'`] : []),
    ...(actions.length === 0 ? [] : [`${action} = any(${parameters.add(actions, 'int4[]')})`]),
    ...(entityTypes.length === 0 ? [] : [`e.entity_type_id = any(${parameters.add(entityTypes, 'int2[]')})`]),
  ];
}

type OfColumn = ShownValues | ShownParts | ShownLabels;

/** Returns conditions on stored values of a side, for values that are shown as something else. */
function shownSql(side: string, { words, parameters, scope }: SearchOptions): string[] {
  const ofRelations = ({ relations }: OfColumn): string =>
    `e.relation_id = any(${parameters.add(relations, 'int4[]')})`;
  const field = ({ index }: OfColumn): string => {
    const at = parameters.add(index, 'int4');
    return `split_part(${side}, E'\\x1f', case when e.columns is null then ${at} + 1
              else nullif(strpos(e.columns, chr(${at} + ${FIRST_COLUMN})), 0) end)`;
  };
  return [
    ...words.values.map(
      (values) =>
        `${ofRelations(values)} and ${field(values)} = any(${parameters.add(values.stored, 'text[]')})`,
    ),
    ...words.parts.map(
      (parts) => `${ofRelations(parts)} and (${partSql(parts.test, field(parts), parameters)})`,
    ),
    ...words.labels.map((labels) => {
      const { names, table } = labels;
      const keys =
        labels.keys.is === 'value' ? null : `(${keysSql(labels.keys, field(labels), parameters)}) k (key)`;
      if (names === null) {
        const way = throughOf(table);
        const seen = inScope(parameters.add(scope?.name ?? null, 'text'));
        const last = (lookup: string, key: string): string => /* sql */ `
          (select l.* from trail.lookup l
            where l.table_name = ${parameters.add(lookup, 'text')} and l.key = ${key} and l.from_id <= e.id
            order by l.from_id desc limit 1) l`;
        const own = keys === null ? field(labels) : 'k.key';
        const key = way === null ? own : `(select l.name from ${last(way.via, own)} where ${seen})`;
        return `${ofRelations(labels)} and exists (
          select from ${keys === null ? '' : `${keys} cross join lateral`} ${last(way?.of ?? table, key)}
           where l.name ilike ${parameters.add(words.pattern, 'text')}${words.collation} and ${seen})`;
      }
      const list = (of: 'key' | 'from' | 'until', type: string): string =>
        parameters.add(
          names.map((name) => name[of]),
          type,
        );
      return `${ofRelations(labels)} and exists (
        select from unnest(${list('key', 'text[]')}, ${list('from', 'int8[]')}, ${list('until', 'int8[]')}) as l (key, from_id, until_id)
         where l.key ${keys === null ? `= ${field(labels)}` : `in (select k.key from ${keys})`} and e.id >= l.from_id and e.id < l.until_id)`;
    }),
  ];
}
