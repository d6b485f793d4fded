import type { Query } from './plans.js';

/**
 * Collations that know upper and lower case of all letters, best first. PostgreSQL 17 has the first, a server
 * that is built with ICU the second, and the others come from the operating system.
 */
const KNOW_CASE = ['pg_c_utf8', 'und-x-icu', 'C.utf8', 'C.UTF-8', 'en_US.utf8'];

/**
 * Collation of the trail's database, if it knows case. A database with the locale C knows only that of ASCII
 * letters.
 */
const COLLATION_SQL = /* sql */ `
  select case when 'Ü' ilike 'ü' and 'Я' ilike 'я' then null
              else (select collname::text from pg_catalog.pg_collation
                     where collnamespace = 'pg_catalog'::pg_catalog.regnamespace
                       and collname = any($1::text[]) and collisdeterministic
                       and collencoding in (-1, (select encoding from pg_catalog.pg_database
                                                  where datname = pg_catalog.current_database()))
                     order by pg_catalog.array_position($1::text[], collname::text) limit 1)
         end as collation`;

/**
 * Returns what follows an expression of text in a comparison that ignores the case of a text: the clause of a
 * collation, or nothing. Nothing is asked for a text whose letters are all ASCII.
 */
export async function ignoringCase(text: string, query: Query): Promise<string> {
  if (!hasOtherLetters(text)) return '';
  const { rows } = await query<{ collation: string | null }>(COLLATION_SQL, [KNOW_CASE]);
  const { collation } = rows[0]!;
  return collation === null ? '' : ` collate pg_catalog."${collation}"`;
}

/** Returns whether a text has letters beyond ASCII that have a case. */
function hasOtherLetters(text: string): boolean {
  const others = text.replaceAll(/[\x00-\x7f]+/g, '');
  return others.toLowerCase() !== others.toUpperCase();
}
