import { defaultName, wordsOf } from '../tracking/entity-default.js';
import type { Template } from '../tracking/rules.js';
import { nameOf } from '../tracking/tracked.js';
import type { ColumnFacts, TableFacts } from './facts.js';
import type { Lookup } from './proposal.js';
import { isInteger, isText, nounOf, singleKey } from './table-index.js';

/**
 * Returns the name template of a table's rows: the default, or columns that can serve as a name once a person
 * has looked at the table. If the first column may be empty, others follow as a fallback. Null if nothing
 * names the rows.
 *
 * @param secrets columns that are masked
 */
export function rowName(facts: TableFacts, secrets: ReadonlySet<string>): Template | null {
  const columns = [...facts.columns.values()].filter(({ name }) => !/[{}|]/.test(name));
  const candidates = columns.map(({ name, kind }) => ({ name, kind, hidden: secrets.has(name) }));
  const template = defaultName(nameOf(facts.table), candidates);
  if (template !== null) return orOthers(template, facts, secrets);
  const open = columns.filter(({ name }) => !secrets.has(name) && !facts.references.has(name));
  const number = open.find((column) => isInteger(column) && isShownNumber(column.name, facts));
  if (number !== undefined) return [{ text: '#' }, { column: number.name }];
  const noun = nounOf(facts.table.name);
  const texts = open.filter((column) => isText(column) || column.type === 'inet');
  for (const wanted of MORE) {
    const words = wanted.replace('*', noun.at(-1) ?? '').split('_');
    const found = texts.find(({ name }) => wordsOf(name).join(' ') === words.join(' '));
    if (found !== undefined) return orOthers([{ column: found.name }], facts, secrets);
  }
  const ending = texts.filter(({ name }) => wordsOf(name).at(-1) === 'name');
  const only = ending.length === 1 ? ending[0] : ending.find(({ notNull }) => notNull);
  return only === undefined ? null : orOthers([{ column: only.name }], facts, secrets);
}

/** Returns how the rows of a table are looked up; null if they have no name, or no key of one column. */
export function lookupOf(facts: TableFacts, name: Template | null): Lookup | null {
  const key = singleKey(facts);
  return key === null || name === null ? null : { table: facts.key, key: key.name, name };
}

/** Whether a column is a number that people use as a name: `#1027`. */
const isShownNumber = (name: string, { table }: TableFacts): boolean => {
  const words = wordsOf(name);
  if (table.primaryKey.includes(name)) return false;
  return (
    words.join(' ') === 'display id' ||
    words.join(' ') === 'number' ||
    words.join(' ') === [...nounOf(table.name).slice(-1), 'number'].join(' ')
  );
};

/**
 * Names of text columns to try after those of `defaultName`. `*` stands for the last word of the table's
 * name.
 */
const MORE: readonly string[] = [
  '*_name',
  'company_name',
  'business_name',
  'firma',
  'firmenname',
  'razon_social',
  'raison_sociale',
  'nickname',
  'var',
  'original_filename',
  'original_file_name',
  'file_file_name',
  'file_name',
  'filename',
  'key',
  'short_code',
  'shortcode',
  'code',
  '*_code',
  'identifier',
  'handle',
  'acct',
  'domain',
  'hostname',
  'host',
  'keyword',
  'phrase',
  'question',
  'sku',
  '*_number',
  'version',
  'external_id',
  'phone_number',
  'phone',
  '*_description',
  '*_desc',
  'website_url',
  'webhook_url',
  'inbox_url',
  'url',
  'path',
  'ip',
  'ip_address',
];

/** Columns to use if the first name is empty. */
const OTHERS: readonly string[] = [
  'display_name',
  'name',
  'full_name',
  'username',
  'login',
  'email',
  'email_address',
  'phone_number',
  'phone',
  'identifier',
  'external_id',
  'code',
  'number',
];
const MAX_OTHERS = 2;

function orOthers(template: Template, facts: TableFacts, secrets: ReadonlySet<string>): Template {
  const [part, ...rest] = template;
  if (part === undefined || !('column' in part)) return template;
  const first = facts.columns.get(part.column)!;
  // Frameworks store empty texts for people who have given neither a first nor a last name.
  if (rest.length === 0 && first.notNull && !first.defaultsToEmpty) return template;
  const isOther = (column: ColumnFacts): boolean =>
    column !== first && isText(column) && !secrets.has(column.name) && !/[{}|]/.test(column.name);
  const or = OTHERS.flatMap(
    (other) =>
      [...facts.columns.values()].find(
        (column) => isOther(column) && wordsOf(column.name).join('_') === other,
      )?.name ?? [],
  ).slice(0, MAX_OTHERS);
  return or.length === 0 ? template : [{ column: part.column, or }, ...rest];
}
