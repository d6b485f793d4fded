import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { json, problem } from './mock-api.ts';

interface MockExport {
  id: string;
  state: 'queued' | 'running' | 'ready' | 'failed';
  progress: { done: number; total: number | null };
  format: string;
  filters: Record<string, unknown>;
  range: { from: string; to: string };
  timezone: string;
  requestedBy: string;
  createdAt: string;
  finishedAt: string | null;
  expiresAt: string | null;
  file: { name: string; bytes: number; sha256: string } | null;
  gaps: number | null;
  error: object | null;
}

export interface ExportRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
  readonly response: ServerResponse;
}

/** The exports of the mock API. They make no progress until the test moves them. */
export class MockExports {
  readonly #list: MockExport[] = [];
  readonly #keys = new Map<string, MockExport>();

  get list(): readonly MockExport[] {
    return this.#list;
  }

  /** Adds an export to the list as if it had been requested earlier. */
  put(said: Partial<MockExport> = {}): MockExport {
    const now = Date.now();
    const item: MockExport = {
      id: `00000000-0000-4000-8000-${String(this.#list.length + 1).padStart(12, '0')}`,
      state: 'queued',
      progress: { done: 0, total: null },
      format: 'xlsx',
      filters: {},
      range: { from: new Date(now - 86_400_000).toISOString(), to: new Date(now).toISOString() },
      timezone: 'UTC',
      requestedBy: 'Dana (compliance)',
      createdAt: new Date(now).toISOString(),
      finishedAt: null,
      expiresAt: null,
      file: null,
      gaps: null,
      error: null,
      ...said,
    };
    this.#list.unshift(item);
    return item;
  }

  /** Changes the newest export, or the one with an id. */
  move(change: Partial<MockExport>, id = this.#list[0]!.id): void {
    const item = this.#list.find((candidate) => candidate.id === id)!;
    Object.assign(item, change);
  }

  finish(id?: string, gaps = 0): void {
    const file = { name: 'audit-trail.xlsx', bytes: 48_213, sha256: 'ab'.repeat(32) };
    const expiresAt = new Date(Date.now() + 7 * 86_400_000).toISOString();
    this.move({ state: 'ready', progress: { done: 120, total: 120 }, file, expiresAt, gaps }, id);
  }

  handle({ method, path, headers, body, response }: ExportRequest): void {
    const [, id, part] = /^\/v1\/exports(?:\/([^/]+))?(?:\/(file))?$/.exec(path) ?? [];
    if (id === undefined) {
      if (method === 'GET') return json(response, 200, { items: this.#list, next: null });
      return this.#create(body as Record<string, string | undefined>, headers, response);
    }
    const item = this.#list.find((candidate) => candidate.id === id);
    if (item === undefined) return problem(response, { status: 404, title: 'There is no export of this id' });
    if (method === 'DELETE') {
      this.#list.splice(this.#list.indexOf(item), 1);
      response.writeHead(204).end();
    } else if (part === 'file') {
      response.writeHead(200, { 'content-disposition': `attachment; filename="${item.file!.name}"` });
      response.end('the file');
    } else json(response, 200, item);
  }

  #create(
    body: Record<string, string | undefined>,
    headers: IncomingHttpHeaders,
    response: ServerResponse,
  ): void {
    const key = String(headers['idempotency-key']);
    const { from, to, format, timezone, ...filters } = body;
    const known = this.#keys.get(key);
    const now = new Date();
    const item =
      known ??
      this.put({
        format: String(format),
        timezone: String(timezone),
        filters,
        range: {
          from: from ?? new Date(now.getTime() - 7 * 86_400_000).toISOString(),
          to: to ?? now.toISOString(),
        },
      });
    this.#keys.set(key, item);
    json(response, known === undefined ? 202 : 200, item);
  }
}
