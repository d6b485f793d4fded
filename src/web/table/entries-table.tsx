import {
  droppedAbove,
  hasMore,
  listState,
  loadingMore,
  loadMore,
  moreProblem,
  rangeProblem,
  reload,
  rows,
} from '../state/entries.ts';
import { uncoveredPart } from '../state/coverage.ts';
import { gaps } from '../state/gaps.ts';
import { highlighted } from '../state/live.ts';
import { isFiltered } from '../state/url-state.ts';
import { clearFilters, show, view, zone } from '../state/view.ts';
import { entriesText } from '../texts/numbers.ts';
import { isOpenEnded, rangeText } from '../time/ranges.ts';
import { InboxIcon } from '../ui/icons.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';
import { Row } from './row.tsx';

const COLUMNS = [
  ['date', 'Date of modification'],
  ['modifier', 'Modified by'],
  ['action', 'Action category'],
  ['type', 'Entity type'],
  ['entity', 'Entity name'],
  ['previous', 'Previous value'],
  ['updated', 'Updated value'],
] as const;

/** Shows the list of the view in each of its states: refused range, failed, empty, loading or ready. */
export function EntriesTable() {
  const problem = rangeProblem.value;
  const state = listState.value;
  if (problem !== null) {
    return (
      <ProblemBox problem={{ title: 'This range cannot be shown', detail: problem.text }}>
        {problem.fixes.map((fix) => (
          <button key={fix.text} type="button" class="bordered" onClick={() => show({ range: fix.range })}>
            {fix.text}: {rangeText(fix.range, zone.value)}
          </button>
        ))}
      </ProblemBox>
    );
  }
  if (state.is === 'failed') {
    return (
      <ProblemBox problem={state.problem}>
        <button type="button" class="bordered" onClick={() => void reload()}>
          Try again
        </button>
      </ProblemBox>
    );
  }
  if (state.is === 'ready' && rows.value.length === 0) return <Empty />;
  return (
    <>
      {droppedAbove.value && (
        <p class="list-note">
          Newer entries are not shown, to keep the page fast.{' '}
          <button type="button" class="bordered" onClick={() => (void reload(), scrollTo({ top: 0 }))}>
            Show the newest
          </button>
        </p>
      )}
      <table role="table" class="entries" aria-busy={state.is === 'loading'} aria-rowcount={-1}>
        <caption class="visually-hidden">
          Audit entries, newest first: {rangeText(view.value.range, zone.value)}, times in {zone.value}
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            {COLUMNS.map(([name, title]) => (
              <th key={name} role="columnheader" scope="col" class={`head-${name}`}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {state.is === 'loading' && rows.value.length === 0
            ? Array.from({ length: 12 }, (_, index) => <SkeletonRow key={index} />)
            : rows.value.map((entry) => (
                <Row
                  key={entry.id}
                  entry={entry}
                  zoneName={zone.value}
                  isHighlighted={highlighted.value.has(entry.id)}
                />
              ))}
        </tbody>
      </table>
      <More />
    </>
  );
}

function SkeletonRow() {
  return (
    <tr role="row" class="skeleton" aria-hidden="true">
      {COLUMNS.map(([name]) => (
        <td key={name} role="cell">
          <span />
        </td>
      ))}
    </tr>
  );
}

function More() {
  if (moreProblem.value !== null) {
    return (
      <ProblemBox problem={moreProblem.value}>
        <button type="button" class="bordered" onClick={() => void loadMore()}>
          Try again
        </button>
      </ProblemBox>
    );
  }
  if (rows.value.length === 0) return null;
  if (!hasMore.value)
    return (
      <p class="list-end">{entriesText(rows.value.length)} shown. There are no older ones in this range.</p>
    );
  return (
    <div class="list-more">
      <button type="button" class="bordered" aria-busy={loadingMore.value} onClick={() => void loadMore()}>
        {loadingMore.value ? 'Loading…' : 'Load more'}
      </button>
    </div>
  );
}

function Empty() {
  // If the trail may be incomplete, the page must not claim that nothing was changed.
  const part = uncoveredPart.value;
  const isIncomplete =
    gaps.value === null || gaps.value.total > 0 || part === null || part.sentences.length > 0;
  const current = view.value;
  const filtered = isFiltered(current);
  return (
    <div class="empty">
      <InboxIcon />
      <h2>
        {filtered
          ? 'No entry matches these filters'
          : part?.lacks === 'all'
            ? 'The trail does not cover this range'
            : isIncomplete
              ? 'The trail has no entry in this range'
              : 'Nothing was changed in this range'}
      </h2>
      <p>
        {rangeText(current.range, zone.value)}, {zone.value}.
        {isOpenEnded(current.range) && ' New entries appear here automatically.'}
      </p>
      <p class="empty-actions">
        {filtered && (
          <button type="button" class="bordered" onClick={clearFilters}>
            Clear all filters
          </button>
        )}
        {current.range.kind !== 'last-7-days' && (
          <button type="button" class="bordered" onClick={() => show({ range: { kind: 'last-7-days' } })}>
            Show the last 7 days
          </button>
        )}
      </p>
    </div>
  );
}
