import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Export, Problem } from '../api-types.ts';
import { apiUrl, problemFrom } from '../http/client.ts';
import { exports, exportsProblem, isUnfinished, loadExports, removeExport } from '../state/exports.ts';
import { filterNames } from '../state/facets.ts';
import { mayExport } from '../state/session.ts';
import { show, view, zone } from '../state/view.ts';
import { EXPORT_STATE_TEXTS, filtersText, FORMAT_TEXTS } from '../texts/export-texts.ts';
import { bytesText, countText, entriesText } from '../texts/numbers.ts';
import { endText, minuteText } from '../time/format.ts';
import { AlertIcon, CloseIcon, DownloadIcon } from '../ui/icons.tsx';
import { Modal } from '../ui/modal.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';

/** Shows all exports of the reader in a drawer. The list comes from the server. */
export function ExportsPanel() {
  return view.value.panel === 'exports' && mayExport.value ? <Panel /> : null;
}

const close = (): void => show({ panel: null });

function Panel() {
  useEffect(() => void loadExports(), []);

  const list = exports.value;
  return (
    <Modal
      shape="drawer"
      labelledBy="exports-title"
      onClose={close}
      focusAfter={() => document.querySelector('[data-exports-button]')}
    >
      <div class="drawer-frame">
        <header class="drawer-head">
          <h2 id="exports-title" tabIndex={-1} autofocus>
            Exports
          </h2>
          <div class="drawer-tools">
            <button type="button" class="icon-button" aria-label="Close" onClick={close}>
              <CloseIcon />
            </button>
          </div>
        </header>
        <div class="drawer-body" tabIndex={0} role="region" aria-label="List of exports">
          {exportsProblem.value !== null && (
            <ProblemBox problem={exportsProblem.value}>
              <button type="button" class="bordered" onClick={() => void loadExports()}>
                Try again
              </button>
            </ProblemBox>
          )}
          {list === null ? (
            exportsProblem.value === null && <p class="muted">Loading…</p>
          ) : list.length === 0 ? (
            <p class="empty-note">
              No exports yet. To get a file of the listed entries, use “Export” above the list.
            </p>
          ) : (
            <ul class="exports">
              {list.map((item) => (
                <ExportItem key={item.id} item={item} />
              ))}
            </ul>
          )}
        </div>
      </div>
    </Modal>
  );
}

function ExportItem({ item }: { item: Export }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const open = isUnfinished(item);
  return (
    <li class={`export export-${item.state}`}>
      <div class="export-head">
        <span class="export-format">{FORMAT_TEXTS[item.format].name}</span>
        <h3>
          {endText(item.range.from, zone.value)} – {endText(item.range.to, zone.value)}
        </h3>
        <span class={`export-state state-${item.state}`}>{EXPORT_STATE_TEXTS[item.state]}</span>
      </div>
      <p class="export-filters">{filtersText(item.filters, filterNames)}</p>
      {open && <Progress item={item} />}
      {(item.state === 'failed' || item.error !== null) && (
        <ProblemBox
          problem={item.error ?? { title: 'The export failed', remedy: 'Delete it and request it again.' }}
        />
      )}
      {problem !== null && <ProblemBox problem={problem} />}
      {item.gaps !== null && item.gaps > 0 && (
        <p class="export-gaps">
          <AlertIcon />
          May be incomplete: the trail has {item.gaps === 1 ? 'a gap' : `${countText(item.gaps)} gaps`} in
          this range.
        </p>
      )}
      <p class="export-facts">
        {sizeText(item)}By {item.requestedBy}, {minuteText(item.createdAt, zone.value)}
        {item.state === 'ready' && item.expiresAt != null && (
          <>, kept until {minuteText(item.expiresAt, zone.value)}</>
        )}
      </p>
      <div class="export-actions">
        {item.state === 'ready' && item.file !== null && (
          <a
            role="button"
            class="primary"
            href={apiUrl(`exports/${encodeURIComponent(item.id)}/file`)}
            download={item.file.name}
            aria-label={`Download ${item.file.name}`}
          >
            <DownloadIcon />
            Download
          </a>
        )}
        <Remove item={item} onProblem={setProblem} />
      </div>
    </li>
  );
}

function Progress({ item }: { item: Export }) {
  const { done, total } = item.progress;
  const isCounted = total !== null && total > 0;
  return (
    <div class="export-progress">
      <progress aria-label="Progress of the export" {...(isCounted ? { max: total, value: done } : {})} />
      <span>
        {item.state === 'queued'
          ? 'Waiting for a worker'
          : isCounted
            ? `${countText(done)} of ${entriesText(total)}`
            : entriesText(done)}
      </span>
    </div>
  );
}

/** The button that cancels or deletes an export. It asks for confirmation in place. */
function Remove({ item, onProblem }: { item: Export; onProblem: (problem: Problem | null) => void }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const group = useRef<HTMLSpanElement>(null);
  const verb = isUnfinished(item) ? 'Cancel' : 'Delete';

  // Moves the focus before the next paint, because the button with the focus was removed.
  const asked = useRef(false);
  useLayoutEffect(() => {
    if (asking || asked.current) group.current!.querySelector('button')!.focus();
    asked.current = asking;
  }, [asking]);

  const remove = async (): Promise<void> => {
    setBusy(true);
    onProblem(null);
    const dialog = group.current!.closest('dialog')!;
    try {
      await removeExport(item);
      // The item had the focus and was removed, so the heading of the list gets the focus.
      dialog.querySelector<HTMLElement>('h2')!.focus();
    } catch (error) {
      onProblem(problemFrom(error));
      setBusy(false);
      setAsking(false);
    }
  };

  if (!asking) {
    return (
      <span ref={group}>
        <button type="button" class="quiet" onClick={() => setAsking(true)}>
          {verb}
          <span class="visually-hidden"> this export</span>
        </button>
      </span>
    );
  }
  return (
    <span class="confirm" ref={group} role="group" aria-label={`${verb} this export?`}>
      <span>
        {isUnfinished(item)
          ? 'Stop this export?'
          : item.file === null
            ? 'Delete it?'
            : 'Delete the file permanently?'}
      </span>
      <button type="button" class="danger" aria-busy={busy} onClick={() => void remove()}>
        {verb === 'Cancel' ? 'Stop it' : 'Delete it'}
      </button>
      <button type="button" class="bordered" onClick={() => setAsking(false)}>
        Keep it
      </button>
    </span>
  );
}

function sizeText(item: Export): string {
  if (item.state !== 'ready' || item.file === null) return '';
  return `${entriesText(item.progress.done)}, ${bytesText(item.file.bytes)}. `;
}
