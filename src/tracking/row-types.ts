import { formatTable, type TableName } from './names.js';

/** Types of which the table is remembered; then it is begun anew, for the source may invent any number. */
const MAX_REMEMBERED = 10_000;

/**
 * Tables by the types that audit rows give for their rows, as frameworks name both: `User` and `users`
 * (Rails), `Account::Setting` and `account_settings`, or `settings` where there is no such table,
 * `Integrations::BaseIntegration` and `integrations`, where all classes of a module are in one table,
 * `App\Models\User` and `users` (Laravel), `shop.order` and `shop_order` (Django), `res.partner` and
 * `res_partner` (Odoo).
 */
export class RowTypes {
  /** By name in words. */
  readonly #tables = new Map<string, TableName[]>();
  readonly #found = new Map<string, string | null>();

  /** @param tables every table there is: one that is not tracked must not lend its type to another */
  constructor(tables: readonly TableName[]) {
    for (const table of tables) {
      const words = inWords(table.table);
      const same = this.#tables.get(words);
      if (same === undefined) this.#tables.set(words, [table]);
      else same.push(table);
    }
  }

  /**
   * `schema.table` of a type; null where no table has such a name, or two have.
   *
   * @param schema of the audit table: of tables with one name, that of this schema is meant
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

/** Names in words that the table of a type may have: singular and plural of each, the likeliest first. */
function namesOf(type: string): string[][] {
  // The label of an application and its model: names of tables are as they are.
  if (type.includes('.')) return [[inWords(type.replaceAll('.', '_'))]];
  // Names of models are in one folder, whatever it is called.
  const names = type.includes('\\') ? [type.slice(type.lastIndexOf('\\') + 1)] : type.split('::');
  const words = names.map(inWords);
  return [...words.map((_, index) => numbersOf(words.slice(index).join('_'))), ...tableOfModule(words)];
}

/** The module of a base class is named for the table of its classes, in the plural. */
function tableOfModule(words: readonly string[]): string[][] {
  const [module, base] = words.slice(-2);
  const noun = base === undefined ? null : (/^base_(.+)$/.exec(base)?.[1] ?? null);
  if (module === undefined || noun === null) return [];
  const isNamedFor = numbersOf(noun).some((plural) => module === plural || module.endsWith(`_${plural}`));
  return isNamedFor ? [[module]] : [];
}

/** `UserAccounts` and `user_accounts` are the same words, as are `HTMLPage` and `html_page`. */
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

/** A name in singular and in plural: the last of its words changes. */
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
