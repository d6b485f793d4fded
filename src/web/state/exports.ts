import { computed, effect, signal } from '@preact/signals';
import type { Export, ExportFormat, Problem } from '../api-types.ts';
import { isAbort, problemFrom, request } from '../http/client.ts';
import { openStream } from '../http/stream-connection.ts';
import { FORMAT_TEXTS } from '../texts/export-texts.ts';
import { resolveRange } from '../time/ranges.ts';
import { announce } from './announcements.ts';
import { mayExport, rangeLimit, session } from './session.ts';
import { filterBody } from './url-state.ts';
import { view, zone } from './view.ts';

/**
 * The exports as the server lists them, newest first; null before the first answer. The browser stores
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
 * Maximum number of exports that are watched by a stream. The others are polled with the list, because
 * browsers allow six connections to each server and the live feed takes one of them.
 */
const MAX_STREAMS = 2;
const POLL_MS = 3_000;

const watchers = new Map<string, () => void>();
/** Exports whose stream the server refused or closed too early. */
const withoutStream = new Set<string>();
let pollTimer: ReturnType<typeof setTimeout> | undefined;

/** Loads the list if the reader may export, and watches the unfinished exports. */
export function followExports(): void {
  effect(() => {
    if (!mayExport.value) {
      for (const stop of watchers.values()) stop();
      watchers.clear();
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
    // A second click, or a request repeated after a lost answer, must not make a second file.
    headers: { 'idempotency-key': options.key },
  });
  update(created);
  announce(`The export was asked for. You may leave the page.`);
  watchUnfinished();
  return created;
}

/** Cancels an unfinished export, or deletes a finished one with its file. Throws ApiError. */
export async function removeExport(item: Export): Promise<void> {
  watchers.get(item.id)?.();
  watchers.delete(item.id);
  await request('DELETE', `exports/${encodeURIComponent(item.id)}`);
  exports.value = (exports.peek() ?? []).filter(({ id }) => id !== item.id);
  announce(isUnfinished(item) ? 'The export was cancelled.' : 'The export was deleted.');
}

function watchUnfinished(): void {
  const open = unfinished.peek();
  for (const [id, stop] of watchers) {
    if (open.some((item) => item.id === id)) continue;
    stop();
    watchers.delete(id);
  }
  for (const item of open) {
    if (watchers.size >= MAX_STREAMS) break;
    if (!watchers.has(item.id) && !withoutStream.has(item.id)) watch(item.id);
  }
  clearTimeout(pollTimer);
  if (open.length > watchers.size) pollTimer = setTimeout(() => void loadExports(), POLL_MS);
}

function watch(id: string): void {
  const fallBack = (): void => {
    stop();
    watchers.delete(id);
    withoutStream.add(id);
    watchUnfinished();
  };
  const stop = openStream({
    path: `exports/${encodeURIComponent(id)}/events`,
    onState: (state) => {
      if (state === 'reconnecting') fallBack();
    },
    onEvent: ({ data }) => {
      update(JSON.parse(data) as Export);
      watchUnfinished();
    },
    onRefused: fallBack,
    // The server closes the stream when the export has ended; the list holds its last state.
    onEnd: () => {
      watchers.delete(id);
      const last = exports.peek()?.find((item) => item.id === id);
      if (last !== undefined && isUnfinished(last)) withoutStream.add(id);
      void loadExports();
    },
  });
  watchers.set(id, stop);
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
