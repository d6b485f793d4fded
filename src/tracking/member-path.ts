/** A member of the JSON in a column. */
export interface MemberPath {
  readonly column: string;
  /** Names of members, outermost first; at least one. */
  readonly path: readonly string[];
}

const STEP = /"((?:[^"]|"")+)"|([^".]+)/y;

/**
 * Parses `column.name.name`. A name that contains a dot is written in double quotes. Null: the text has no
 * such form. If a column has the whole text as its name, the column counts and not the member.
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

/** The columns that a name may mean: the column with that name, and the column that has the member. */
export const columnsMeant = (text: string): readonly string[] => {
  const member = memberPath(text);
  return member === null ? [text] : [text, member.column];
};
