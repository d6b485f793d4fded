import type { Entry } from '../api-types.ts';
import { isOwn, readableEntry } from '../entry/own-entries.ts';
import { show, urlOf, view } from '../state/view.ts';
import { CONFLICT_TEXTS, humanize, LAST_SET_BY_SENTENCE, RUNG_TEXTS } from '../texts/vocabulary.ts';
import { dateText, hasTwoOffsets, instantText, offsetText, timeText } from '../time/format.ts';
import { ActingAs, ActionBadge, Modifier } from '../ui/badges.tsx';
import { memo } from '../ui/memo.ts';
import { ValuesCell } from './values-cell.tsx';

export interface RowProps {
  readonly entry: Entry;
  readonly zoneName: string;
  readonly isHighlighted: boolean;
}

/**
 * Shows one entry as a row. The time is a link to the entry's detail, so that a row can be reached, opened
 * and copied by keyboard. With the mouse, a click anywhere in the row opens it. Roles are set explicitly: the
 * narrow layout turns the row into a card, and browsers drop the roles of a table when `display` is changed.
 */
export const Row = memo(function Row({ entry, zoneName, isHighlighted }: RowProps) {
  const { modifier, entity } = entry;
  const shown = readableEntry(entry, zoneName);
  const open = (event: MouseEvent): void => {
    // The browser handles a click that opens a new tab. A click that ends a text selection does not open the
    // entry.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    const isLink = event.target instanceof Element && event.target.closest('a') !== null;
    if (!isLink && (getSelection()?.toString() ?? '') !== '') return;
    event.preventDefault();
    show({ entry: entry.id });
  };
  return (
    <tr role="row" class={isHighlighted ? 'is-fresh' : undefined} onClick={open} data-entry={entry.id}>
      <td role="cell" class="cell-date" data-label="Date">
        <a
          href={urlOf({ ...view.peek(), entry: entry.id })}
          data-row-link
          title={`${instantText(entry.committedAt, zoneName, 6)} ${zoneName}, ${entry.committedAt}`}
        >
          <time dateTime={entry.committedAt}>
            <span class="date">{dateText(entry.committedAt, zoneName)}</span>{' '}
            <span class="time">{timeText(entry.committedAt, zoneName)}</span>
            {hasTwoOffsets(entry.committedAt, zoneName) && (
              <>
                {' '}
                <span class="offset">{offsetText(entry.committedAt, zoneName)}</span>
              </>
            )}
          </time>
        </a>
      </td>
      <td role="cell" class="cell-modifier" data-label="Modified by">
        <span class="modifier">
          <Modifier modifier={modifier} />
        </span>
        <ActingAs modifier={modifier} />
        <span class="rung" title={RUNG_TEXTS[modifier.rung].sentence}>
          {RUNG_TEXTS[modifier.rung].short}
        </span>
        {entry.conflict !== undefined && (
          <span class="attribution-conflict" title={CONFLICT_TEXTS[entry.conflict.rung].sentence}>
            {CONFLICT_TEXTS[entry.conflict.rung].short} {entry.conflict.name}
          </span>
        )}
        {entry.lastSetBy !== undefined && (
          <span class="rung" title={LAST_SET_BY_SENTENCE}>
            last set by {entry.lastSetBy.name}
          </span>
        )}
      </td>
      <td role="cell" class="cell-action" data-label="Action">
        <ActionBadge entry={entry} />
      </td>
      <td role="cell" class="cell-type" data-label="Type">
        {humanize(entity.type)}
      </td>
      <td role="cell" class="cell-entity" data-label="Entity">
        <span class="entity-name">{entity.name ?? entity.id ?? '—'}</span>
        {entity.id !== null && entity.id !== entity.name && !isOwn(entry) && (
          <span class="entity-id">{entity.id}</span>
        )}
      </td>
      <td role="cell" class="cell-values" data-label="Previous">
        <ValuesCell entry={shown} side="previous" zoneName={zoneName} />
      </td>
      <td role="cell" class="cell-values" data-label="Updated">
        <ValuesCell entry={shown} side="updated" zoneName={zoneName} />
      </td>
    </tr>
  );
});
