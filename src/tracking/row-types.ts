import { formatTable, type TableName } from './names.js';

/**
 * The most types with a remembered table. When there are more, all are forgotten, because the source may
 * contain any number of types.
 */
const MAX_REMEMBERED = 10_000;

/**
 * Finds tables by the types that audit rows give for their rows. Frameworks name both like this:
 *
 * - Rails: `User` and `users`; `Account::Setting` and `account_settings`, or `settings` if there is no such
 *   table.
 * - Rails with all classes of a module in one table: `Integrations::BaseIntegration` and `integrations`.
 * - Laravel: `App\Models\User` and `users`.
 * - Django: `shop.order` and `shop_order`. Odoo: `res.partner` and `res_partner`.
 */
export class RowTypes {
  /** Tables by their name in words. */
  readonly #tables = new Map<string, TableName[]>();
  readonly #found = new Map<string, string | null>();

  /** @param tables all existing tables: a type of an untracked table must not be matched to another one */
  constructor(tables: readonly TableName[]) {
    for (const table of tables) {
      const words = inWords(table.table);
      const same = this.#tables.get(words);
      if (same === undefined) this.#tables.set(words, [table]);
      else same.push(table);
    }
  }

  /**
   * Returns `schema.table` for a type; null if no table, or more than one, has such a name.
   *
   * @param schema of the audit table; of several tables with one name, the one in this schema is meant
   */
  tableOf(type: string, schema: string): string | null {
    const key = `${schema}\n${type}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      if (this.#found.size >= MAX_REMEMBERED) this.#found.clear();
      found = this.#find(type, schema);
      this.#found.set(key, found);
    }
    return found;
  }

  #find(type: string, schema: string): string | null {
    for (const names of namesOf(type)) {
      const named = [...new Set(names)].flatMap((name) => this.#tables.get(name) ?? []);
      const near = named.filter((table) => table.schema === schema);
      const [table, ...others] = near.length > 0 ? near : named;
      if (table !== undefined) return others.length > 0 ? null : formatTable(table);
    }
    return null;
  }
}

/**
 * Returns the possible table names of a type, in words: singular and plural of each, the most likely first.
 */
function namesOf(type: string): string[][] {
  // A type with a dot is an application's label and a model. Its table name has no plural.
  if (type.includes('.')) return [[inWords(type.replaceAll('.', '_'))]];
  // Models are in one folder, and its name does not matter.
  const names = type.includes('\\') ? [type.slice(type.lastIndexOf('\\') + 1)] : type.split('::');
  const words = names.map(inWords);
  return [...words.map((_, index) => numbersOf(words.slice(index).join('_'))), ...tableOfModule(words)];
}

/**
 * Returns the module's name for a base class: the module is named after the table of its classes, in the
 * plural.
 */
function tableOfModule(words: readonly string[]): string[][] {
  const [module, base] = words.slice(-2);
  const noun = base === undefined ? null : (/^base_(.+)$/.exec(base)?.[1] ?? null);
  if (module === undefined || noun === null) return [];
  const isNamedFor = numbersOf(noun).some((plural) => module === plural || module.endsWith(`_${plural}`));
  return isNamedFor ? [[module]] : [];
}

/** Splits a name into words: `UserAccounts` equals `user_accounts`, and `HTMLPage` equals `html_page`. */
const inWords = (name: string): string =>
  name
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();

const IRREGULAR: Readonly<Record<string, string>> = {
  person: 'people',
  man: 'men',
  woman: 'women',
  child: 'children',
  mouse: 'mice',
  goose: 'geese',
  foot: 'feet',
  tooth: 'teeth',
  datum: 'data',
  medium: 'media',
  criterion: 'criteria',
  analysis: 'analyses',
  axis: 'axes',
  basis: 'bases',
  crisis: 'crises',
  diagnosis: 'diagnoses',
  thesis: 'theses',
  matrix: 'matrices',
  vertex: 'vertices',
  quiz: 'quizzes',
  move: 'moves',
  leaf: 'leaves',
  half: 'halves',
  shelf: 'shelves',
  knife: 'knives',
  life: 'lives',
  wife: 'wives',
};

/** Returns a name in singular and plural. Only its last word changes. */
function numbersOf(name: string): string[] {
  const start = name.lastIndexOf('_') + 1;
  const word = name.slice(start);
  const irregular = Object.hasOwn(IRREGULAR, word) ? IRREGULAR[word] : undefined;
  const plural =
    irregular ??
    (/[^aeiou]y$/.test(word)
      ? `${word.slice(0, -1)}ies`
      : /(?:s|x|z|ch|sh)$/.test(word)
        ? `${word}es`
        : `${word}s`);
  return [name, name.slice(0, start) + plural, `${name}s`];
}
