import { booleanProblem, holdsBooleans } from './boolean-text.js';
import type { Catalog, CatalogColumn } from './catalog.js';
import type { KeyPath } from './document.js';
import { memberPath } from './member-path.js';
import type { TableRule, TrackingConfig } from './rules.js';
import type { PublishedTable } from './tracked.js';
import { bitWidth } from './value-shape.js';

/** Warns about words that no value of their column can have. */
export function wordWarnings({
  config,
  catalog,
  published,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): string[] {
  const said = config.tables.flatMap((rule) => {
    const columns = published.filter((table) => table.rule === rule).flatMap(({ table }) => table.columns);
    const warning = (path: KeyPath, message: string): string =>
      `${config.places.of(['tables', rule.pattern, ...path])}: ${message}`;
    return [
      ...bitFindings(rule, { columns, catalog }),
      ...booleanFindings(rule, { columns, catalog }),
      ...typedFindings(rule, columns),
    ].map(({ path, message }) => warning(path, message));
  });
  // Many tables may have taken it over from one place.
  return [...new Set(said)];
}

interface Found {
  readonly path: KeyPath;
  readonly message: string;
}

function bitFindings(
  rule: TableRule,
  { columns, catalog }: { readonly columns: readonly CatalogColumn[]; readonly catalog: Catalog },
): Found[] {
  return [...rule.bits].flatMap(([name, words]): Found[] => {
    const [column] = columns.filter((column) => column.name === name);
    if (column === undefined) return [];
    const width = bitWidth(column.typeOid, catalog.types);
    const path = ['values', name, 'bits'];
    if (width === null)
      return [
        {
          path,
          message: `"${name}" is ${column.type}, which has no bits. Only smallint, integer, bigint, bit and bit varying have bits.`,
        },
      ];
    return [...words.keys()]
      .filter((bit) => width > 0 && bit >= width)
      .map((bit) => ({
        path: [...path, String(bit)],
        message: `"${name}" is ${column.type}, whose highest bit is ${width - 1}.`,
      }));
  });
}

function booleanFindings(
  rule: TableRule,
  { columns, catalog }: { readonly columns: readonly CatalogColumn[]; readonly catalog: Catalog },
): Found[] {
  return [...rule.values].flatMap(([name, words]) =>
    columns.some((column) => column.name === name && holdsBooleans(column.typeOid, catalog.types))
      ? [...words.keys()].flatMap((value) => {
          const message = booleanProblem(value, name);
          return message === null ? [] : [{ path: ['values', name, value], message }];
        })
      : [],
  );
}

/** Warns about labels by type for members of JSON: they are possible for columns only. */
const typedFindings = (rule: TableRule, columns: readonly CatalogColumn[]): Found[] =>
  [...rule.typedLabels.keys()].flatMap((name) =>
    memberPath(name) === null || columns.length === 0 || columns.some((column) => column.name === name)
      ? []
      : [
          {
            path: ['labels', name],
            message: `"${name}" is a member of JSON, so its label needs a single table. type and types are allowed for columns only.`,
          },
        ],
  );
