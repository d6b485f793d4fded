/** A member of the JSON in a column. */
export interface MemberPath {
  readonly column: string;
  /** Names of members, from the outermost on; at least one. */
  readonly path: readonly string[];
}

const STEP = /"((?:[^"]|"")+)"|([^".]+)/y;

/**
 * The member that `column.name.name` means; a name with a dot in it is written in double quotes. Null: the
 * text has no such form. A column that is called so itself comes before a member.
 */
export function memberPath(text: string): MemberPath | null {
  const steps: string[] = [];
  let at = 0;
  for (;;) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (match === null) return null;
    steps.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    at = STEP.lastIndex;
    if (at === text.length) break;
    if (text[at] !== '.') return null;
    at++;
  }
  const [column, ...path] = steps;
  return path.length === 0 ? null : { column: column!, path };
}

/** The columns that a name may mean: one that is called so, and the one whose member it is. */
export const columnsMeant = (text: string): readonly string[] => {
  const member = memberPath(text);
  return member === null ? [text] : [text, member.column];
};
