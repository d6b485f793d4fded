import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import xlsx from '@e965/xlsx';
import { createToken } from '../../src/admin/auth/tokens.js';
import { silentLog } from '../../src/log.js';
import { startDaemon } from '../../src/main.js';
import { readSettings } from '../../src/settings.js';
import { testConfig } from './api.ts';
import type { TestDatabase } from './database.ts';
import { readEvents } from './sse.ts';
import { until } from './until.ts';

/** An entry as the API answers it. */
export interface AnsweredEntry {
  readonly id: string;
  readonly action: string;
  readonly entity: Readonly<Record<string, string | null>>;
  readonly tenant: string | null;
  readonly moved?: { readonly side: string; readonly previousTenant?: string | null };
  readonly previous: Readonly<Record<string, unknown>> | null;
  readonly updated: Readonly<Record<string, unknown>> | null;
  readonly labels?: { readonly previous: Record<string, string>; readonly updated: Record<string, string> };
  readonly unknown?: readonly string[];
  readonly context: unknown;
}

/** The API of a trail, as the owner of a token sees it. */
export interface TenantView {
  get<T>(route: string): Promise<T>;
  items(query?: string): Promise<readonly AnsweredEntry[]>;
  /**
   * Returns the text of everything that a reader gets about the entries: pages, lists, live stream and files.
   */
  everything(): Promise<string>;
}

export interface ViewGround extends AsyncDisposable {
  /** Null for all tenants. */
  as(tenant: string | null): Promise<TenantView>;
}

/** Starts a daemon that answers about a trail and makes exports of it. */
export async function viewGround(trail: TestDatabase): Promise<ViewGround> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'waltrail-view-'));
  const pool = new pg.Pool({ connectionString: trail.url, max: 1 });
  const daemon = await startDaemon({
    settings: readSettings({ WALTRAIL_PORT: '0', WALTRAIL_DATA_DIR: dataDir }),
    config: testConfig(trail.url),
    roles: ['api', 'exports'],
    log: silentLog,
  });
  return {
    as: async (tenant) =>
      viewOf(
        daemon.url,
        await createToken(pool, { name: 'view', role: 'admin', ...(tenant === null ? {} : { tenant }) }),
      ),
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      await pool.end();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function viewOf(url: string, token: string): TenantView {
  const headers = { authorization: `Bearer ${token}` };
  const fetched = async (route: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(new URL(`/v1/${route}`, url), {
      ...init,
      headers: { ...headers, ...(init.body == null ? {} : { 'content-type': 'application/json' }) },
    });
    if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
    return response;
  };
  const get = async <T>(route: string): Promise<T> => (await (await fetched(route)).json()) as T;
  const items = async (query = ''): Promise<readonly AnsweredEntry[]> =>
    (await get<{ items: AnsweredEntry[] }>(`entries?limit=500${query}`)).items;

  const streamed = async (count: number): Promise<string> => {
    await using events = await readEvents(`${url}/v1/entries/stream`, { ...headers, 'last-event-id': '0' });
    let text = '';
    for (let n = 0; n < count; n++) text += (await events.next(10_000)).data;
    return text;
  };
  const exported = async (format: 'xlsx' | 'csv' | 'ndjson'): Promise<string> => {
    const body = JSON.stringify({ format });
    const { id } = (await (await fetched('exports', { method: 'POST', body })).json()) as { id: string };
    await until('the file', async () => (await get<{ state: string }>(`exports/${id}`)).state === 'ready');
    const bytes = Buffer.from(await (await fetched(`exports/${id}/file`)).arrayBuffer());
    return format === 'xlsx' ? JSON.stringify(xlsx.read(bytes).Sheets) : bytes.toString();
  };
  return {
    get,
    items,
    everything: async () => {
      const found = await items();
      const texts = [
        JSON.stringify(found),
        JSON.stringify(await get('facets')),
        await streamed(found.length),
        await exported('xlsx'),
        await exported('csv'),
        await exported('ndjson'),
      ];
      for (const { id, entity } of found) {
        texts.push(JSON.stringify(await get(`entries/${id}`)));
        if (entity.id != null)
          texts.push(JSON.stringify(await get(`entities/${entity.type}/${entity.id}/history`)));
      }
      return texts.join('\n');
    },
  };
}
