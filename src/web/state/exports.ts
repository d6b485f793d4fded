import { computed, effect, signal } from '@preact/signals';
import type { Export, ExportFormat, Problem } from '../api-types.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { onRecovery } from '../http/recovery.ts';
import { FORMAT_TEXTS } from '../texts/export-texts.ts';
import { resolveRange } from '../time/ranges.ts';
import { announce } from './announcements.ts';
import { mayExport, rangeLimit, session } from './session.ts';
import { filterBody } from './url-state.ts';
import { view, zone } from './view.ts';

/**
 * The exports as the server lists them, newest first. Null before the first answer. The browser stores
 * nothing about them, so that a reload or another browser shows the same.
 */
export const exports = signal<readonly Export[] | null>(null);
/** Why the list could not be loaded. */
export const exportsProblem = signal<Problem | null>(null);
/** Exports that are queued or running. */
export const unfinished = computed(() => (exports.value ?? []).filter(isUnfinished));
/** Number of exports that ended while the panel was closed. */
export const unseen = signal(0);

/** Whether an export is queued or running. */
export const isUnfinished = (item: Export): boolean => item.state === 'queued' || item.state === 'running';

/**
 * Time between two requests for an unfinished export. They are plain requests instead of streams, because
 * every tab sends them, and browsers allow six connections to a server.
 */
const POLL_MS = 1_000;

let pollTimer: ReturnType<typeof setTimeout> | undefined;

/** Loads the list if the reader may export, and polls the unfinished exports. */
export function followExports(): void {
  effect(() => {
    if (!mayExport.value) {
      clearTimeout(pollTimer);
      exports.value = null;
      unseen.value = 0;
      return;
    }
    void loadExports();
  });
  effect(() => {
    if (view.value.panel === 'exports') unseen.value = 0;
  });
  onRecovery(() => {
    if (mayExport.peek() && exportsProblem.peek() !== null) void loadExports();
  });
  document.addEventListener('visibilitychange', watchUnfinished);
}

/** Loads the list from the server. */
export async function loadExports(): Promise<void> {
  try {
    const { items } = await request<{ items: readonly Export[] }>('GET', 'exports');
    if (session.peek() === null) return;
    exportsProblem.value = null;
    const before = exports.peek();
    exports.value = items;
    for (const item of items)
      noticeFinish(
        before?.find(({ id }) => id === item.id),
        item,
      );
  } catch (error) {
    if (isAbort(error)) return;
    exportsProblem.value = problemFrom(error);
  }
  watchUnfinished();
}

/** Requests an export of the current view. Throws ApiError. */
export async function createExport(options: {
  format: ExportFormat;
  timezone: string;
  key: string;
}): Promise<Export> {
  const current = view.peek();
  const range = resolveRange(current.range, { now: Date.now(), zone: zone.peek(), ...rangeLimit.peek() });
  const created = await request<Export>('POST', 'exports', {
    body: { ...filterBody(current, range), format: options.format, timezone: options.timezone },
    // A second click, or a request repeated after a lost answer, must not create a second file.
    headers: { 'idempotency-key': options.key },
  });
  update(created);
  announce(`The export was requested. You may leave the page.`);
  watchUnfinished();
  return created;
}

/** Cancels an unfinished export, or deletes a finished one with its file. Throws ApiError. */
export async function removeExport(item: Export): Promise<void> {
  await request('DELETE', `exports/${encodeURIComponent(item.id)}`);
  exports.value = (exports.peek() ?? []).filter(({ id }) => id !== item.id);
  announce(isUnfinished(item) ? 'The export was cancelled.' : 'The export was deleted.');
}

function watchUnfinished(): void {
  clearTimeout(pollTimer);
  if (unfinished.peek().length > 0 && !document.hidden)
    pollTimer = setTimeout(() => void lookAtUnfinished(), POLL_MS);
}

async function lookAtUnfinished(): Promise<void> {
  await Promise.all(unfinished.peek().map(lookAt));
  if (mayExport.peek()) watchUnfinished();
}

async function lookAt({ id }: Export): Promise<void> {
  try {
    const found = await request<Export>('GET', `exports/${encodeURIComponent(id)}`);
    // It may have been removed here while the answer was on its way.
    if (exports.peek()?.some((item) => item.id === id)) update(found);
  } catch (error) {
    // 404: it was removed elsewhere, and the list must no longer show it. Other errors: the next poll
    // follows.
    if (problemFrom(error).status === 404) await loadExports();
  }
}

function update(changed: Export): void {
  const list = exports.peek() ?? [];
  const before = list.find(({ id }) => id === changed.id);
  exports.value =
    before === undefined ? [changed, ...list] : list.map((item) => (item.id === changed.id ? changed : item));
  noticeFinish(before, changed);
}

function noticeFinish(before: Export | undefined, now: Export): void {
  if (before === undefined || !isUnfinished(before) || isUnfinished(now)) return;
  if (view.peek().panel !== 'exports') unseen.value += 1;
  if (now.state === 'ready') announce(`The ${FORMAT_TEXTS[now.format].name} export is ready to download.`);
  else if (now.state === 'failed')
    announce(`The export failed: ${now.error?.title ?? 'no reason was given'}.`);
}
