import { useState } from 'preact/hooks';
import type { Entry } from '../api-types.ts';
import { entityQuestions } from '../entry/entity-questions.ts';
import { printExact } from '../exact-json.ts';
import { announce } from '../state/announcements.ts';
import { rows } from '../state/entries.ts';
import { rangeLimit, session } from '../state/session.ts';
import { NO_FILTERS, type View } from '../state/url-state.ts';
import { show, urlOf, view, zone } from '../state/view.ts';
import { humanize } from '../texts/vocabulary.ts';
import { isoText } from '../time/format.ts';
import { earliestOf, QUICK_RANGE_TEXTS, quickRanges, type QuickRange } from '../time/ranges.ts';
import { copyText } from './clipboard.ts';

/** Shows the buttons of an entry: list the last days of its entity, copy its link, copy its JSON. */
export function DetailActions({ entry }: { entry: Entry }) {
  const { type } = entry.entity;
  const { filter } = entityQuestions(entry);
  return (
    <footer class="drawer-foot">
      {filter !== null && (
        <a
          role="button"
          class="bordered"
          href={urlOf({ ...view.value, ...recentOf(type, filter) })}
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            show(recentOf(type, filter));
          }}
        >
          {QUICK_RANGE_TEXTS[longestRange()]} of this {humanize(type).toLowerCase()}
        </a>
      )}
      {!rows.value.some((row) => row.id === entry.id) && (
        <a
          role="button"
          class="bordered"
          href={urlOf({ ...view.value, ...around(entry) })}
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            show(around(entry));
          }}
        >
          Show it in the list
        </a>
      )}
      <span class="spacer" />
      <CopyButton
        what="link"
        text={() => new URL(urlOf({ ...view.value, entry: entry.id }), location.href).href}
      />
      <CopyButton what="JSON" text={() => printExact(entry, 2)} />
    </footer>
  );
}

function CopyButton({ what, text }: { what: string; text: () => string }) {
  const [done, setDone] = useState<'yes' | 'no' | null>(null);
  const copy = async (event: MouseEvent): Promise<void> => {
    const isCopied = await copyText(text(), event.currentTarget as HTMLElement);
    setDone(isCopied ? 'yes' : 'no');
    announce(
      isCopied ? `The ${what} is on the clipboard.` : `The browser did not allow copying the ${what}.`,
    );
    setTimeout(() => setDone(null), 2000);
  };
  return (
    <button type="button" class="bordered" onClick={(event) => void copy(event)}>
      {done === 'yes' ? 'Copied' : done === 'no' ? 'Not allowed' : `Copy ${what}`}
    </button>
  );
}

const MINUTE_MS = 60_000;

/** Returns a view in which an entry is near the top, among changes from about the same time. */
function around({ committedAt }: Entry): Partial<View> {
  const end = Math.floor(Date.parse(committedAt) / MINUTE_MS + 2) * MINUTE_MS;
  const from = isoText(earliestOf(end, { ...rangeLimit.peek(), zone: zone.peek() }));
  return { ...NO_FILTERS, tenant: view.peek().tenant, range: { kind: 'custom', from, to: isoText(end) } };
}

/**
 * Returns the view of an entity in the longest quick range. The detail's history has older entries.
 */
function recentOf(type: string, id: string) {
  const range = { kind: longestRange() };
  return { ...NO_FILTERS, tenant: view.peek().tenant, entityTypes: [type], entity: id, range, entry: null };
}

const longestRange = (): QuickRange => quickRanges(session.peek()?.maxRangeDays ?? 7).at(-1) ?? 'today';
