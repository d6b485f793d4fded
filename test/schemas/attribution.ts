import { parse, stringify } from 'yaml';
import { keyAs } from './people.ts';
import type { Deed } from './simulate.ts';
import type { Person } from './steps.ts';
import type { World } from './world.ts';

/** Letters of the rungs that name somebody, with their names. */
export const RUNGS = { m: 'message', a: 'witness', c: 'column', s: 'session' } as const;
export type Rung = (typeof RUNGS)[keyof typeof RUNGS];

/** The attribution of an entry. */
export interface NamedEntry {
  /** Transaction id of the source, without its epoch. */
  readonly xid: string;
  /** `schema.table`. */
  readonly table: string;
  /** The letter of the rung. */
  readonly rung: string;
  /** The key as it is shown; null if nobody is named. */
  readonly modifierKey: string | null;
}

/** A table of `modifiers`. Keys without a prefix belong to the first one. */
export interface People {
  readonly called: string | null;
  /** `schema.table`. */
  readonly table: string;
}

/** How many changes that people made name the right person. */
export interface Shares {
  /** Changes by people, without the audit rows that the application writes. */
  readonly changes: number;
  /** Changes with the right name, by rung. */
  readonly right: Readonly<Record<Rung, number>>;
  readonly unnamed: number;
  /** One line for each entry with a wrong name. Any name for a change of a job is wrong. */
  readonly wrong: readonly string[];
}

/**
 * Compares entries with who really made the changes. Ignores entries of other transactions.
 *
 * @param options.deeds transactions with one actor each
 * @param options.people in the order of the YAML
 */
export function sharesOf(options: {
  readonly entries: readonly NamedEntry[];
  readonly deeds: readonly Deed[];
  readonly world: World;
  readonly people: readonly People[];
}): Shares {
  const { entries, deeds, world, people } = options;
  const actors = new Map(deeds.map(({ xid, actor }) => [withoutEpoch(xid), actor]));
  const audits = new Set(world.truth.witness.map(({ table }) => `public.${table}`));
  const right = { message: 0, witness: 0, column: 0, session: 0 };
  const wrong: string[] = [];
  let changes = 0;
  let unnamed = 0;
  for (const { xid, table, rung, modifierKey } of entries) {
    const actor = actors.get(xid);
    if (actor === undefined || audits.has(table)) continue;
    if (actor !== null) changes++;
    if (modifierKey === null) {
      if (actor !== null) unnamed++;
    } else if (actor !== null && isSame(world, actor, personOf(modifierKey, people))) {
      right[RUNGS[rung as keyof typeof RUNGS]]++;
    } else {
      const by = actor === null ? 'nobody' : `${actor.key} of ${actor.table}`;
      wrong.push(`${table} in ${xid}: ${rung} ${modifierKey}, but it was ${by}`);
    }
  }
  return { changes, right, unnamed, wrong };
}

/** The share of changes by people that have the right name, from 0 to 1. */
export const named = ({ changes, right }: Shares): number =>
  changes === 0 ? 0 : Object.values(right).reduce((sum, count) => sum + count, 0) / changes;

/** Transactions that contain an audit row of the application, and the change that it is about. */
export const audited = (deeds: readonly Deed[]): readonly Deed[] =>
  deeds.filter(
    ({ changes }) =>
      changes.some(({ isWitness }) => isWitness) && changes.some(({ isWitness }) => !isWitness),
  );

const withoutEpoch = (xid: string): string => String(BigInt(xid) & 0xffff_ffffn);

function personOf(shown: string, people: readonly People[]): Person {
  const [first, ...others] = people;
  const other = others.find(({ called }) => shown.startsWith(`${called}:`));
  const table = (other ?? first)!.table.replace(/^public\./, '');
  return { table, key: other === undefined ? shown : shown.slice(other.called!.length + 1) };
}

const isSame = (world: World, actor: Person, { table, key }: Person): boolean =>
  keyAs(world, actor, table) === key;

/** A column with a name for whoever made the last change. */
const UPDATED = /^(?:last_)?(?:updated|modified|changed|edited)_by(?:_id)?$/;

type File = Record<string, unknown> & {
  readonly source: Readonly<Record<string, string>>;
  readonly tables: Record<string, { modifier?: readonly { readonly column: string }[] } | null>;
};

/**
 * Returns the YAML of `waltrail init` reduced to what an audit trail finds that knows only columns such as
 * `updated_by`: without audit tables, session, polymorphic pairs and logins.
 *
 * @param name name of the source, the slot and the publication, so that both can run at the same time
 */
export function withColumnsAlone(yaml: string, name: string): string {
  const file = parse(yaml) as File;
  delete file['attribution'];
  delete file['session'];
  for (const rule of Object.values(file.tables)) {
    const columns = rule?.modifier?.filter(({ column }) => UPDATED.test(column)) ?? [];
    if (rule === null) continue;
    if (columns.length > 0) rule.modifier = columns;
    else delete rule.modifier;
  }
  return stringify({ ...file, source: { ...file.source, name, slot: name, publication: name } });
}
