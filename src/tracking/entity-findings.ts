import { defaultEntity } from './entity-default.js';
import { about, listNames } from './list-names.js';
import { isPattern } from './names.js';
import type { TrackingConfig } from './rules.js';
import { nameOf, type PublishedTable } from './tracked.js';

/** Sentences about entity types that more than one table would have; the pipeline keeps them apart. */
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
        `${config.places.of(['tables', rule.pattern, 'entity'])}: "${rule.entity}" can be the entity type of one table only, and ${rule.pattern} matches ${tables.length}: ${listNames(tables)}. The first that has changes is called so, each other one by its own name. Leave entity out, name the tables one by one, or add one_history: true, which gives rows of these tables with the same id one history.`,
      ];
    }),
    ...[...byType].flatMap(([type, tables]) => {
      const holder = given.get(type);
      if (holder !== undefined)
        return about(
          tables,
          (names, isOne) =>
            `${names} ${isOne ? 'is' : 'are'} called by full name: "${type}" is the entity type of ${holder}. Give ${isOne ? 'it' : 'them'} an entity of ${isOne ? 'its' : 'their'} own.`,
        );
      if (tables.length < 2) return [];
      return [
        `${listNames(tables)} would all be called "${type}": the first that has changes is, the others are called by their full names. Give them an entity each.`,
      ];
    }),
  ];
}
