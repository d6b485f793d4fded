import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { CatalogPublication } from './catalog.js';
import { withFoundLine, type Found } from './found.js';

/** The line in a publication's comment that names its source. */
const MARK = /^Waltrail: source ([a-z][a-z0-9_-]{0,62})$/m;

type Commented = Pick<CatalogPublication, 'comment'>;

/** Returns the source that owns the publication; undefined: it has no mark. */
export const ownerOf = ({ comment }: Commented): string | undefined => MARK.exec(comment ?? '')?.[1];

export const isMarked = (publication: Commented): boolean => ownerOf(publication) !== undefined;

/**
 * Returns the statement that marks a publication with its source and with what was found. The rest of the
 * comment stays.
 *
 * @param options.source null: removes the mark
 * @param options.found null: unknown
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
