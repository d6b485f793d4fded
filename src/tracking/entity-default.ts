import { formatTable, type TableName } from './names.js';
import type { Template } from './rules.js';
import { isSecretColumn } from './secrets.js';
import { singular } from './singular.js';
import type { ValueKind } from './value-kind.js';

/**
 * The entity type of a table for which the YAML has none: its singular in words, behind those of the schema
 * where that is not `public`. `public.agent_bots` is an `agent bot`, `sales.orders` a `sales order`. Says
 * nothing of other tables, so one that is made later renames no entity type. A name without letters or digits
 * is its own type.
 */
export function defaultEntity(table: TableName): string {
  const words = wordsOf(table.table);
  const last = words.pop();
  if (last === undefined) return formatTable(table);
  const schema = table.schema === 'public' ? [] : wordsOf(table.schema);
  return [...schema, ...words, singular(last)].join(' ');
}

/** `agent_bots`, `AgentBots` and `agent-bots` in words of small letters. */
export const wordsOf = (name: string): string[] =>
  name
    .replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1_$2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word !== '');

/** A column as far as it may serve as a name. */
export interface NameCandidate {
  readonly name: string;
  readonly kind: ValueKind;
  /** Masked or left out: of all rows it says the same. */
  readonly hidden: boolean;
}

/** What rows are called by, in this order; `*` stands for the entity (`agent_name`, `city` of table city). */
const NAME_COLUMNS: readonly (readonly string[])[] = [
  ['name'],
  ['full_name'],
  ['display_name'],
  ['first_name', 'last_name'],
  ['title'],
  ['subject'],
  ['label'],
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
 * The name of a table's rows where the YAML has none: the first of {@link NAME_COLUMNS} that the table has,
 * with text in it that may be shown. Never one whose name is that of a secret, whatever `secrets` says. Null:
 * there is none, and the entity id is shown.
 */
export function defaultName(table: TableName, columns: readonly NameCandidate[]): Template | null {
  const entity = wordsOf(table.table);
  const own = [...entity.slice(0, -1), ...entity.slice(-1).map(singular)].join('_');
  const fits = new Map(
    columns
      .filter(({ name, kind, hidden }) => !hidden && isText(kind) && !isSecretColumn(table.table, name))
      // Of two spellings of one name the first counts.
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

/** `fullName` and `full_name` are one. */
const spelling = (name: string): string => wordsOf(name).join('');

const isText = ({ of, array }: ValueKind): boolean => of === 'text' && !array;
