import type { Random } from '../support/random.ts';
import type { Column } from './catalog.ts';
import type { Truth } from './truth.ts';
import { COUNTRIES, FIRST_NAMES, LANGUAGES, LAST_NAMES, PLACES, SENTENCES, THINGS } from './words.ts';

/** The place of a value. */
export interface Place {
  readonly truth: Truth;
  readonly table: string;
  readonly column: Column;
  /** Number of the row in its table, from 1. Unique values contain it. */
  readonly number: number;
}

/** Times lie in the 120 days after this one. */
const FIRST_DAY_MS = Date.UTC(2022, 2, 1);
const DAYS = 120;

/**
 * Returns a value in PostgreSQL's text form. It fits the column's type and is natural for its name. It
 * depends only on the place and on the numbers drawn from `random`.
 */
export function valueFor(place: Place, random: Random): string {
  const { truth, table, column } = place;
  const full = `${table}.${column.name}`;
  const words = truth.enums[full];
  if (words !== undefined) return pick(Object.keys(words), random);
  if (column.labels !== null) return pick(column.labels, random);
  if (truth.secrets.includes(full)) return secret(place, random);
  if (column.type.startsWith('_')) return `{${scalar(place, column.type.slice(1), random)}}`;
  return scalar(place, column.type, random);
}

function scalar(place: Place, type: string, random: Random): string {
  const { column } = place;
  switch (type) {
    case 'bool':
      return random(2) === 0 ? 'false' : 'true';
    case 'int2':
    case 'int4':
    case 'int8':
      return /(^|_)year$/.test(column.name) ? String(1960 + random(60)) : String(random(100));
    case 'float4':
    case 'float8':
      return (random(1_000) / 10).toFixed(1);
    case 'numeric': {
      const scale = column.scale ?? 2;
      const whole = Math.min((column.precision ?? 6) - scale, 6);
      return `${random(10 ** whole)}.${String(random(10 ** scale)).padStart(scale, '0')}`;
    }
    case 'timestamp':
    case 'timestamptz':
      return `${new Date(FIRST_DAY_MS + random(DAYS * 86_400) * 1_000).toISOString().slice(0, 19)}Z`;
    case 'date':
      return new Date(FIRST_DAY_MS + random(DAYS) * 86_400_000).toISOString().slice(0, 10);
    case 'json':
    case 'jsonb':
      return JSON.stringify({ note: pick(SENTENCES, random) });
    case 'inet':
      return `192.0.2.${random(250)}`;
    case 'uuid':
      return hex(32, random).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    case 'bytea':
      return `\\x${hex(16, random)}`;
    case 'tsvector':
      return pick(THINGS, random).toLowerCase();
    case 'text':
    case 'varchar':
    case 'bpchar':
      return shortened(text(place, random), column.length);
    default:
      throw new Error(`no value is known for the type ${type} of ${place.table}.${column.name}`);
  }
}

/**
 * Returns a text that fits the column's name. If texts with this name are often unique, it contains the row's
 * number.
 */
function text({ truth, table, column: { name }, number }: Place, random: Random): string {
  const first = pick(FIRST_NAMES, random);
  const last = pick(LAST_NAMES, random);
  const thing = pick(THINGS, random);
  const word = thing.toLowerCase();
  if (/first_name$/.test(name)) return first;
  if (/last_name$|middle_name$/.test(name)) return last;
  if (/email(_address)?$/.test(name)) return `${first}.${last}.${number}@example.org`.toLowerCase();
  if (/contact_name$|display_name$/.test(name) && isOfPeople(truth, table, name)) return `${first} ${last}`;
  if (name === 'name' && isOfPeople(truth, table, name)) return `${first} ${last}`;
  if (/username$/.test(name)) return `${last}${number}`.toLowerCase();
  if (/file_?name$/.test(name)) return `${word}-${number}.png`;
  if (/content_type$/.test(name)) return 'image/png';
  if (/domain$/.test(name)) return `${word}${number}.example`;
  if (/(ur[li]|link|endpoint|homepage|website|permalink)$/.test(name))
    return `https://${word}.example/${number}`;
  if (/phone|fax/.test(name)) return `+49555${String(number).padStart(4, '0')}${random(1_000)}`;
  if (/(^|_)ip$|remote_address/.test(name)) return `192.0.2.${random(250)}`;
  if (/language$|locale$/.test(name)) return pick(LANGUAGES, random);
  if (/country$/.test(name)) return pick(COUNTRIES, random);
  if (/city$|region$|location$|district$|state_name$/.test(name)) return pick(PLACES, random);
  if (/color$/.test(name)) return `#${hex(6, random)}`;
  if (/(description|content|text|note|notes|comment|message|body|reason|answer|hint|signature)$/.test(name))
    return pick(SENTENCES, random);
  if (/question$/.test(name)) return `Where is the ${word} ${number}?`;
  if (/company_name$/.test(name)) return `${thing} ${last} Ltd`;
  if (/address2?$/.test(name)) return `${thing} Street ${number}`;
  if (/(name|title|phrase|keyword|nickname|acct)$/.test(name)) return `${thing} ${number}`;
  return `${word}-${number}`;
}

const isOfPeople = (truth: Truth, table: string, column: string): boolean =>
  truth.modifiers.includes(table) || column === 'contact_name';

/** Returns a secret. JSON has one in each member that is a secret, and one member that is not. */
function secret({ truth, table, column }: Place, random: Random): string {
  const value = (): string => `${SECRET_PREFIX}${hex(24, random)}`;
  if (column.type.startsWith('_')) return `{${value()}}`;
  if (!/^jsonb?$/.test(column.type)) return value().slice(0, column.length ?? undefined);
  const members = truth.members[`${table}.${column.name}`] ?? [];
  const secrets = (members.length === 0 ? ['token'] : members).map((member) => [member, value()]);
  return JSON.stringify({ region: 'north', ...Object.fromEntries(secrets) });
}

/** Every secret in a seeded database begins with this. */
export const SECRET_PREFIX = 'sekret';

/** Shortens from the start, because the number is at the end. */
const shortened = (value: string, length: number | null): string =>
  length === null || value.length <= length ? value : value.slice(-length).trim();

export const pick = <T>(values: readonly T[], random: Random): T => values[random(values.length)]!;

const hex = (digits: number, random: Random): string =>
  Array.from({ length: digits }, () => random(16).toString(16)).join('');
