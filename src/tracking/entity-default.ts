import { formatTable, type TableName } from './names.js';
import type { Template } from './rules.js';
import { isSecretColumn } from './secrets.js';
import { singular } from './singular.js';
import type { ValueKind } from './value-kind.js';

/**
 * Returns the default entity type of a table: its name in words, the last one in the singular. The words of
 * the schema come first unless it is `public`. `public.agent_bots` is an `agent bot`, `sales.orders` a `sales
 * order`. The result depends on no other table, so a new table never renames an entity type. A name without
 * letters or digits is its own type.
 */
export function defaultEntity(table: TableName): string {
  const words = wordsOf(table.table);
  const last = words.pop();
  if (last === undefined) return formatTable(table);
  const schema = table.schema === 'public' ? [] : wordsOf(table.schema);
  return [...schema, ...words, singular(last)].join(' ');
}

/** Splits `agent_bots`, `AgentBots` or `agent-bots` into lower-case words. */
export const wordsOf = (name: string): string[] =>
  name
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1_$2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word !== '');

/** A column that may serve as a name. */
export interface NameCandidate {
  readonly name: string;
  readonly kind: ValueKind;
  /** Whether its values are masked or left out, and so look alike in all rows. */
  readonly hidden: boolean;
}

/**
 * Columns that serve as names, in order of preference. `*` stands for the entity (`agent_name`, `city` of
 * table city).
 */
const NAME_COLUMNS: readonly (readonly string[])[] = [
  ['name'],
  ['full_name'],
  ['display_name'],
  ['first_name', 'last_name'],
  ['title'],
  ['subject'],
  ['label'],
  // German, French, Spanish, Italian and Portuguese
  ['bezeichnung'],
  ['vorname', 'nachname'],
  ['nachname'],
  ['prenom', 'nom'],
  ['prénom', 'nom'],
  ['nom'],
  ['nombre', 'apellidos'],
  ['nombre', 'apellido'],
  ['nombre'],
  ['nome', 'cognome'],
  ['nome', 'sobrenome'],
  ['nome'],
  ['titel'],
  ['titre'],
  ['titulo'],
  ['título'],
  ['titolo'],
  ['libelle'],
  ['libellé'],
  ['betreff'],
  ['*_name'],
  ['*_title'],
  ['*'],
  ['username'],
  ['user_name'],
  ['login'],
  ['email'],
  ['email_address'],
  ['slug'],
  ['reference'],
  ['number'],
];

/**
 * Returns the default name of a table's rows: the first of {@link NAME_COLUMNS} that the table has as a text
 * that may be shown. A column with the name of a secret never counts, whatever `secrets` says. Null: there is
 * none, and the entity id is shown.
 */
export function defaultName(table: TableName, columns: readonly NameCandidate[]): Template | null {
  const entity = wordsOf(table.table);
  const own = [...entity.slice(0, -1), ...entity.slice(-1).map(singular)].join('_');
  const fits = new Map(
    columns
      .filter(({ name, kind, hidden }) => !hidden && isText(kind) && !isSecretColumn(table.table, name))
      // If two columns are spellings of one name, the first counts: later entries of a map replace earlier
      // ones.
      .reverse()
      .map(({ name }) => [spelling(name), name]),
  );
  for (const wanted of NAME_COLUMNS) {
    const found = wanted.map((name) => fits.get(spelling(name.replace('*', own))));
    if (!found.includes(undefined))
      return found.flatMap((column, index) => [...(index === 0 ? [] : [{ text: ' ' }]), { column: column! }]);
  }
  return null;
}

/** A name without its spelling: `fullName` and `full_name` are equal. */
const spelling = (name: string): string => wordsOf(name).join('');

const isText = ({ of, array }: ValueKind): boolean => of === 'text' && !array;
