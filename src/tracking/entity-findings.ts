import { defaultEntity } from './entity-default.js';
import { about, listNames } from './list-names.js';
import { isPattern } from './names.js';
import type { TrackingConfig } from './rules.js';
import { nameOf, type PublishedTable } from './tracked.js';

/**
 * Warns about an entity type that several tables would have. The pipeline gives the type to one of them only.
 */
export function entityWarnings({
  config,
  published,
}: {
  readonly config: TrackingConfig;
  readonly published: readonly PublishedTable[];
}): string[] {
  const tracked = published.filter(({ rule }) => rule !== null);
  const patterns = config.tables.filter(
    ({ pattern, entity, oneHistory }) => entity !== null && !oneHistory && isPattern(pattern),
  );
  const given = new Map(
    config.tables.flatMap(({ pattern, entity, oneHistory }) =>
      entity !== null && (oneHistory || !isPattern(pattern)) ? [[entity, pattern]] : [],
    ),
  );
  const byType = new Map<string, string[]>();
  for (const { key, table, rule } of tracked) {
    if (rule!.entity !== null) continue;
    const type = defaultEntity(nameOf(table));
    byType.set(type, [...(byType.get(type) ?? []), key]);
  }
  return [
    ...patterns.flatMap((rule) => {
      const tables = tracked.filter((table) => table.rule === rule).map(({ key }) => key);
      if (tables.length < 2) return [];
      return [
        `${config.places.of(['tables', rule.pattern, 'entity'])}: "${rule.entity}" can be the entity type of one table only, but ${rule.pattern} matches ${tables.length}: ${listNames(tables)}. The first one with a change gets this type; the others are called by their own names. Leave entity out, name the tables one by one, or add one_history: true, which merges the histories of rows with the same id.`,
      ];
    }),
    ...[...byType].flatMap(([type, tables]) => {
      const holder = given.get(type);
      if (holder !== undefined)
        return about(
          tables,
          (names, isOne) =>
            `${names} ${isOne ? 'has its full name' : 'have their full names'} as entity type, because "${type}" is the entity type of ${holder}. Give ${isOne ? 'it' : 'them'} an entity of ${isOne ? 'its' : 'their'} own.`,
        );
      if (tables.length < 2) return [];
      return [
        `${listNames(tables)} would all have the entity type "${type}". The first one with a change gets it; the others have their full names as entity type. Give each of them an entity.`,
      ];
    }),
  ];
}
