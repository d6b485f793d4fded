import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

/** What one token does to the API all at once, and how to measure what an admin sees during that time. */
export interface MisuseOptions {
  /** URL of the daemon. */
  readonly url: string;
  /** Token of the role exporter. It does whatever it may, as often as it can. */
  readonly misuser: string;
  readonly admin: string;
  /** Stores an entry and returns its id. */
  readonly addEntry: () => Promise<string>;
  readonly seconds: number;
  /** An id from which a stream may resume; the others resume from 1, which may be too far back. */
  readonly resumeAfter?: string;
  /** Whether only the measured requests are made, for comparison. */
  readonly idle?: boolean;
}

export interface MisuseFigures {
  /** Milliseconds of each first page of the admin. */
  readonly pageMs: readonly number[];
  /** Milliseconds from the storing of an entry to its arrival at the admin's live view. */
  readonly liveMs: readonly number[];
  /** Answers to the misuser, by kind and status. Those without Retry-After are marked. */
  readonly answers: Readonly<Record<string, number>>;
}

const STREAMS = 4;
const EXPORTS = 60;
const SEARCHES = 24;
const SIGN_INS = 40;
const STREAM_MS = 200;
const PAGE_PAUSE_MS = 20;
const LIVE_PAUSE_MS = 250;
/** Limit for the arrival of an entry. A later one counts with this time. */
const LIVE_LIMIT_MS = 10_000;

/**
 * Opens four streams again and again from the beginning, requests 60 exports, runs 24 searches at a time, and
 * tries 40 wrong sign-ins a second. In the same time an admin reads first pages and follows the live view.
 * Throws if the admin is refused anything.
 */
export async function misuse(options: MisuseOptions): Promise<MisuseFigures> {
  const { url, misuser, admin, addEntry, seconds, resumeAfter = '1', idle = false } = options;
  const answers: Record<string, number> = {};
  const stop = new AbortController();
  const { signal } = stop;
  // Thousands of requests wait for this at the end.
  setMaxListeners(0, signal);
  const count = (kind: string, { status, headers }: Response): void => {
    const isMute = (status === 429 || status === 503) && !headers.has('retry-after');
    const key = `${kind} ${status}${isMute ? ' without Retry-After' : ''}`;
    answers[key] = (answers[key] ?? 0) + 1;
  };
  const ask = async (kind: string, route: string, init: RequestInit = {}): Promise<void> => {
    const authorization = `Bearer ${misuser}`;
    const response = await fetch(`${url}/v1/${route}`, {
      ...init,
      headers: { authorization, ...init.headers },
      signal,
    });
    count(kind, response);
    await response.arrayBuffer();
  };
  const again = async (work: () => Promise<void>, pauseMs = 1): Promise<void> => {
    while (!signal.aborted) {
      await work().catch(() => undefined);
      await delay(pauseMs);
    }
  };
  const loopingStream = async (after: string): Promise<void> => {
    const end = new AbortController();
    const response = await fetch(`${url}/v1/entries/stream?q=zzz-nothing`, {
      headers: { authorization: `Bearer ${misuser}`, 'last-event-id': after },
      signal: AbortSignal.any([signal, end.signal]),
    });
    count('stream', response);
    setTimeout(() => end.abort(), STREAM_MS);
    await response.arrayBuffer();
  };
  const json = { 'content-type': 'application/json' };
  const busy = idle
    ? []
    : [
        ...Array.from({ length: STREAMS }, (_, n) =>
          again(() => loopingStream(n % 2 === 0 ? '1' : resumeAfter)),
        ),
        ...Array.from({ length: EXPORTS }, () =>
          ask('export', 'exports', { method: 'POST', headers: json, body: '{"format":"csv"}' }).catch(
            () => undefined,
          ),
        ),
        ...Array.from({ length: SEARCHES }, (_, n) => again(() => ask('search', `entries?q=zzz-${n}`), 50)),
        again(async () => {
          const attempts = Array.from({ length: SIGN_INS }, () => {
            const token = `wt_${randomBytes(32).toString('base64url')}`;
            return ask('sign-in', 'session', {
              method: 'POST',
              headers: json,
              body: JSON.stringify({ token }),
            });
          });
          await Promise.all(attempts);
        }, 1_000),
      ];
  const watched = watch({ url, admin, signal });
  const pageMs: number[] = [];
  const liveMs: number[] = [];
  try {
    await watched.opened;
    const until = performance.now() + seconds * 1_000;
    await Promise.all([
      (async () => {
        while (performance.now() < until) {
          const began = performance.now();
          const response = await fetch(`${url}/v1/entries?limit=50`, {
            headers: { authorization: `Bearer ${admin}` },
          });
          if (response.status !== 200) throw new Error(`the admin's page: ${response.status}`);
          await response.arrayBuffer();
          pageMs.push(performance.now() - began);
          await delay(PAGE_PAUSE_MS);
        }
      })(),
      (async () => {
        while (performance.now() < until) {
          const id = await addEntry();
          const began = performance.now();
          const arrived = watched.arrival(id);
          liveMs.push(
            await Promise.race([arrived.then((at) => at - began), delay(LIVE_LIMIT_MS, LIVE_LIMIT_MS)]),
          );
          await delay(LIVE_PAUSE_MS);
        }
      })(),
    ]);
  } finally {
    stop.abort();
    await Promise.allSettled([...busy, watched.ended]);
  }
  return { pageMs, liveMs: liveMs.map((ms) => Math.max(ms, 0)), answers };
}

/**
 * Stores another entry like the last one, as the writer does, and moves the checkpoint in the same
 * transaction. Returns its id.
 */
export async function addAnother(pool: Pick<pg.Pool, 'query'>): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(`
    with place as (
      update trail.checkpoint
         set next_id = greatest(next_id, trail.today()::int8 << 32) + 1, entries = entries + 1,
             end_lsn = end_lsn + 256, last_committed_at = now()
      returning next_id - 1 as id, end_lsn
    )
    insert into trail.entry (id, committed_at, commit_lsn, seq, xid, modifier_id, relation_id, tenant_id, entity_type_id,
                             action_id, operation, rung, entity_id, entity_name, columns, previous, updated, extra)
    select place.id, clock_timestamp(), place.end_lsn, 0, '1', modifier_id, relation_id, tenant_id, entity_type_id,
           action_id, operation, rung, entity_id, entity_name, columns, previous, updated, extra
      from place cross join (select * from trail.entry order by id desc limit 1) last
    returning id::text`);
  return rows[0]!.id;
}

/** Follows the admin's live view, and records when each entry arrived. */
function watch({
  url,
  admin,
  signal,
}: {
  readonly url: string;
  readonly admin: string;
  readonly signal: AbortSignal;
}): {
  readonly opened: Promise<void>;
  readonly ended: Promise<void>;
  arrival(id: string): Promise<number>;
} {
  const arrivals = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  const response = fetch(`${url}/v1/entries/stream`, {
    headers: { authorization: `Bearer ${admin}` },
    signal,
  });
  const read = async (): Promise<void> => {
    let text = '';
    for await (const chunk of (await response).body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const id = /^id: ?(\d+)$/m.exec(text.slice(0, end))?.[1];
        text = text.slice(end + 2);
        if (id === undefined || arrivals.has(id)) continue;
        const at = performance.now();
        arrivals.set(id, at);
        waiting.get(id)?.(at);
      }
    }
  };
  return {
    opened: response.then(({ status }) => {
      if (status !== 200) throw new Error(`the admin's live view: ${status}`);
    }),
    ended: read().catch(() => undefined),
    arrival: (id) =>
      new Promise((resolve) => {
        const at = arrivals.get(id);
        if (at === undefined) waiting.set(id, resolve);
        else resolve(at);
      }),
  };
}
