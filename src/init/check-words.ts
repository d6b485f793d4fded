/** Longest list of words that a person would still read. */
const MAX_WORDS = 40;

const LITERAL = /'((?:[^']|'')*)'(?:::[\w ."()[\]]+?)?(?=[,\])\s]|$)|(?<![\w.'])(-?\d+)(?![\w.'])/g;

/**
 * Returns the values that a CHECK constraint of one column allows, as PostgreSQL prints `x in (…)`. Null if
 * the constraint says anything else.
 *
 * @param definition `CHECK (((state)::text = ANY ((ARRAY['open'::character varying, …])::text[])))`
 */
export function wordsOfCheck(definition: string): readonly string[] | null {
  const array =
    /^CHECK \(+(?:"(?:[^"]|"")+"|\w+)\)*(?:::[\w ]+)?\)* = ANY \(+ARRAY\[(.*)\]\)*(?:::[\w ]+\[\])?\)*$/s.exec(
      definition,
    );
  if (array === null) return null;
  const values = [...array[1]!.matchAll(LITERAL)].map(([, text, number]) =>
    text === undefined ? number! : text.replaceAll("''", "'"),
  );
  return values.length > 0 && values.length <= MAX_WORDS ? values : null;
}
