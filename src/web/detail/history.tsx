import { useEffect, useRef, useState } from 'preact/hooks';
import type { Entry, EntryPage, Problem } from '../api-types.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { show, urlOf, view, zone } from '../state/view.ts';
import { humanize } from '../texts/vocabulary.ts';
import { secondText } from '../time/format.ts';
import { ActingAs, ActionBadge, Modifier } from '../ui/badges.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';

/** Number of entries that are loaded together. */
const TOGETHER = 20;

/**
 * Shows all entries of an entity, newest first. It is not limited to the longest range, as the list of the
 * page is. It is loaded when the reader asks for it.
 */
export function History({ type, id, entry }: { type: string; id: string; entry: string }) {
  const [items, setItems] = useState<readonly Entry[]>([]);
  /** Cursor of the next page. Null: there is none. Undefined: nothing is loaded. */
  const [next, setNext] = useState<string | null>();
  const [problem, setProblem] = useState<Problem | null>(null);
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);

  const load = async (): Promise<void> => {
    const query = new URLSearchParams({ limit: String(TOGETHER) });
    if (typeof next === 'string') query.set('cursor', next);
    const path = `entities/${encodeURIComponent(type)}/${encodeURIComponent(id)}/history`;
    try {
      const found = await request<EntryPage>('GET', path, { query, signal: abort.current.signal });
      setItems([...items, ...found.items]);
      setNext(found.next);
      setProblem(null);
    } catch (error) {
      if (!isAbort(error)) setProblem(problemFrom(error));
    }
  };

  useEffect(() => (problem === null ? undefined : onRecovery(() => void load())), [problem]);

  return (
    <section class="history" aria-label="History">
      {next !== undefined && <h3>All changes of this {humanize(type).toLowerCase()}</h3>}
      <ul>
        {items.map((item) => (
          <li key={item.id} aria-current={item.id === entry}>
            <a
              href={urlOf({ ...view.value, entry: item.id })}
              onClick={(event) => {
                if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                event.preventDefault();
                show({ entry: item.id }, 'replace');
              }}
            >
              <time dateTime={item.committedAt}>{secondText(item.committedAt, zone.value)}</time>
            </a>{' '}
            <ActionBadge entry={item} /> <Modifier modifier={item.modifier} />{' '}
            <ActingAs modifier={item.modifier} />
          </li>
        ))}
      </ul>
      {problem !== null && <ProblemBox problem={problem} />}
      {next === null ? (
        <p class="muted">The trail has no older changes.</p>
      ) : (
        <button type="button" class="bordered" onClick={() => void load()}>
          {next === undefined ? `All changes of this ${humanize(type).toLowerCase()}` : 'Older changes'}
        </button>
      )}
    </section>
  );
}
