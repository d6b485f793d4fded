import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Entry, Problem } from '../api-types.ts';
import { entityQuestions } from '../entry/entity-questions.ts';
import { readableEntry, titleOf } from '../entry/own-entries.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { rows } from '../state/entries.ts';
import { show, view, zone } from '../state/view.ts';
import { instantText } from '../time/format.ts';
import { ActingAs, ActionBadge, Modifier } from '../ui/badges.tsx';
import { ArrowDownIcon, ArrowUpIcon, CloseIcon } from '../ui/icons.tsx';
import { Modal } from '../ui/modal.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';
import { DetailActions } from './detail-actions.tsx';
import { Facts } from './facts.tsx';
import { FieldTable } from './field-table.tsx';
import { History } from './history.tsx';

/** Shows the detail of the entry that the view names, as a drawer over the page. */
export function Detail() {
  const id = view.value.entry;
  return id === null ? null : <Drawer id={id} />;
}

function Drawer({ id }: { id: string }) {
  const body = useRef<HTMLDivElement>(null);
  const loaded = useEntry(id);

  // A layout effect runs before the paint. In a later effect, Esc might be pressed first, and would then
  // return the focus to the row of the previous entry.
  useLayoutEffect(() => {
    lastShown = id;
    body.current!.scrollTop = 0;
  }, [id]);

  const { newer, older } = neighbours(id);
  const go = (to: string | undefined): void => {
    if (to !== undefined) show({ entry: to }, 'replace');
  };

  return (
    <Modal
      shape="drawer"
      labelledBy="detail-title"
      onClose={close}
      // Focuses the row of the entry that was shown last. The drawer may have been opened from another row.
      focusAfter={() => document.querySelector(`tr[data-entry="${CSS.escape(lastShown)}"] [data-row-link]`)}
      onKeyDown={(event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === 'j') go(older);
        else if (event.key === 'k') go(newer);
      }}
    >
      <div class="drawer-frame">
        <header class="drawer-head">
          <div>
            <p class="drawer-kicker">Audit entry</p>
            <h2 id="detail-title" tabIndex={-1} autofocus>
              {'entry' in loaded
                ? titleOf(loaded.entry)
                : 'problem' in loaded
                  ? 'Entry not shown'
                  : 'Loading…'}
            </h2>
          </div>
          <div class="drawer-tools">
            <button
              type="button"
              class="icon-button"
              aria-label="Newer entry"
              disabled={newer === undefined}
              onClick={() => go(newer)}
            >
              <ArrowUpIcon />
            </button>
            <button
              type="button"
              class="icon-button"
              aria-label="Older entry"
              disabled={older === undefined}
              onClick={() => go(older)}
            >
              <ArrowDownIcon />
            </button>
            <button type="button" class="icon-button" aria-label="Close" onClick={close}>
              <CloseIcon />
            </button>
          </div>
        </header>
        <div class="drawer-body" ref={body} tabIndex={0} role="region" aria-label="Entry">
          {'problem' in loaded && <ProblemBox problem={loaded.problem} />}
          {'entry' in loaded && <Content entry={loaded.entry} />}
        </div>
        {'entry' in loaded && <DetailActions entry={loaded.entry} />}
      </div>
    </Modal>
  );
}

let lastShown = '';
const close = (): void => show({ entry: null });

function Content({ entry }: { entry: Entry }) {
  const { history } = entityQuestions(entry);
  return (
    <>
      <p class="detail-lead">
        <Modifier modifier={entry.modifier} /> <ActingAs modifier={entry.modifier} />
        <ActionBadge entry={entry} />
        <span class="detail-when">
          {instantText(entry.committedAt, zone.value, 6)} {zone.value}
        </span>
      </p>
      <FieldTable entry={readableEntry(entry, zone.value)} />
      <Facts entry={entry} />
      {history !== null && <History key={`${history.type} ${history.id}`} {...history} entry={entry.id} />}
    </>
  );
}

type Loaded = { readonly entry: Entry } | { readonly problem: Problem } | { readonly loading: true };

/** Returns an entry: from the list if it has the entry, else from the server. */
function useEntry(id: string): Loaded {
  const listed = rows.value.find((entry) => entry.id === id);
  const [fetched, setFetched] = useState<(Loaded & { readonly id: string }) | null>(null);
  // Keeps the entry in case the list drops its row.
  const shown = useRef<Entry | undefined>(undefined);
  if (listed !== undefined) shown.current = listed;
  const known = shown.current?.id === id ? shown.current : undefined;

  useEffect(() => {
    if (known !== undefined) return undefined;
    const abort = new AbortController();
    let hasFailed = false;
    const load = (): Promise<void> =>
      request<Entry>('GET', `entries/${encodeURIComponent(id)}`, { signal: abort.signal })
        .then((entry) => setFetched({ id, entry }))
        .catch((error: unknown) => {
          if (isAbort(error)) return;
          hasFailed = true;
          setFetched({ id, problem: problemFrom(error) });
        });
    void load();
    const forget = onRecovery(() => {
      if (!hasFailed) return;
      hasFailed = false;
      void load();
    });
    return () => {
      forget();
      abort.abort();
    };
  }, [id]);

  if (known !== undefined) return { entry: known };
  return fetched?.id === id ? fetched : { loading: true };
}

function neighbours(id: string): { newer: string | undefined; older: string | undefined } {
  const index = rows.value.findIndex((entry) => entry.id === id);
  if (index < 0) return { newer: undefined, older: undefined };
  return { newer: rows.value[index - 1]?.id, older: rows.value[index + 1]?.id };
}
