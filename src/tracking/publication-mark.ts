import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { CatalogPublication } from './catalog.js';
import { withFoundLine, type Found } from './found.js';

/** What the comment on a publication says in a line of its own. */
const MARK = /^Waltrail: source ([a-z][a-z0-9_-]{0,62})$/m;

type Commented = Pick<CatalogPublication, 'comment'>;

/** The source whose publication it is; undefined: it is marked as nobody's. */
export const ownerOf = ({ comment }: Commented): string | undefined => MARK.exec(comment ?? '')?.[1];

export const isMarked = (publication: Commented): boolean => ownerOf(publication) !== undefined;

/**
 * The statement that marks a publication as that of a source, with what was found of it; what else its
 * comment says stays.
 *
 * @param options.source null: it is marked no more
 * @param options.found null: it is not known what was found
 */
export function markSql(
  { name, comment }: Pick<CatalogPublication, 'name' | 'comment'>,
  { source, found }: { readonly source: string | null; readonly found: Found | null },
): string {
  const text = withFoundLine(marked(comment ?? '', source), found);
  return `comment on publication ${quoteIdentifier(name)} is ${text === '' ? 'null' : quoteLiteral(text)}`;
}

function marked(comment: string, source: string | null): string {
  if (source === null) return comment.replace(MARK, '');
  const mark = `Waltrail: source ${source}`;
  if (comment === '') return mark;
  return MARK.test(comment) ? comment.replace(MARK, mark) : `${comment}\n${mark}`;
}
