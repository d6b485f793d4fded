import type { Entry } from '../api-types.ts';
import { fieldsOf, type Cell, type Field } from '../entry/fields.ts';
import { isOwn } from '../entry/own-entries.ts';
import { CellText } from '../ui/cell-text.tsx';

/** Maximum number of columns that a row shows, and of characters of a value. The detail shows everything. */
const MAX_COLUMNS = 5;
const MAX_TEXT = 80;

/** Shows the values of one side of an entry as a compact list. */
export function ValuesCell({
  entry,
  side,
  zoneName,
}: {
  entry: Entry;
  side: 'previous' | 'updated';
  zoneName: string;
}) {
  const fields = fieldsOf(entry, zoneName).filter((field) => field[side].is !== 'absent');
  if (fields.length === 0) return <NoValues entry={entry} side={side} />;
  // Most values of a whole row are nulls, so columns with a value come first.
  const ordered =
    entry.operation === 'update' ? fields : [...fields].sort((a, b) => weight(a[side]) - weight(b[side]));
  const rest = ordered.length - MAX_COLUMNS;
  const shown = rest > 1 ? ordered.slice(0, MAX_COLUMNS) : ordered;
  return (
    <dl class={`values values-${side}${entry.operation === 'update' ? '' : ' values-whole'}`}>
      {shown.map((field) => (
        <ValueItem key={field.column} field={field} side={side} />
      ))}
      {rest > 1 && (
        <div class="values-rest">
          <dt>{rest} more</dt>
          <dd class="visually-hidden">in the entry’s detail</dd>
        </div>
      )}
    </dl>
  );
}

function ValueItem({ field, side }: { field: Field; side: 'previous' | 'updated' }) {
  return (
    <div>
      <dt>{field.column}</dt>
      <dd>
        <CellText cell={field[side]} maxLength={MAX_TEXT} />
      </dd>
    </div>
  );
}

function NoValues({ entry, side }: { entry: Entry; side: 'previous' | 'updated' }) {
  if (isOwn(entry)) return <span class="no-value">—</span>;
  if (entry.moved?.side === (side === 'previous' ? 'arrived' : 'left'))
    return <span class="no-value">in another tenant</span>;
  const reason =
    entry.operation === 'truncate'
      ? 'all rows'
      : side === 'previous' && (entry.operation === 'insert' || entry.operation === 'baseline')
        ? NOTHING_BEFORE[entry.operation]
        : side === 'updated' && entry.operation === 'delete'
          ? 'deleted'
          : 'no values';
  return (
    <span class="no-value">{side === 'updated' && entry.operation === 'truncate' ? 'emptied' : reason}</span>
  );
}

const NOTHING_BEFORE = { insert: 'did not exist', baseline: 'not known' } as const;

const weight = (cell: Cell): number => (cell.is === 'value' ? 0 : 1);
