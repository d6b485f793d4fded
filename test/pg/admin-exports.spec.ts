import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';
import { readEvents } from '../support/sse.ts';
import { until } from '../support/until.ts';

interface ExportAnswer {
  readonly id: string;
  readonly state: string;
  readonly progress: { done: number; total: number | null };
  readonly file: { name: string; bytes: number; sha256: string } | null;
}

let ground: ApiGround;
let exporter: string;
beforeAll(async () => {
  ground = await apiGround({ roles: ['api', 'exports'] });
  exporter = await ground.token({ name: 'Erin', role: 'exporter' });
  await ground.add({ tenant: 'one', action: 'block', entityName: '=cmd()' });
  await ground.add({ tenant: 'two', action: 'add', entityName: 'Rival Secret' });
});
afterAll(async () => ground[Symbol.asyncDispose]());

const ask = (
  body: unknown,
  token = exporter,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  ground.get('/v1/exports', token, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const made = async (body: unknown, token = exporter): Promise<ExportAnswer> => {
  const { id } = (await (await ask(body, token)).json()) as ExportAnswer;
  let view: ExportAnswer | undefined;
  await until('the export', async () => {
    view = (await (await ground.get(`/v1/exports/${id}`, token)).json()) as ExportAnswer;
    return view.state === 'ready' || view.state === 'failed';
  });
  expect(view!.state).toBe('ready');
  return view!;
};

describe('an export', () => {
  test('is accepted with its place, made, watched, downloaded whole and deleted', async () => {
    const response = await ask({ action: ['block'], format: 'csv', timezone: 'Asia/Jerusalem' });
    expect(response.status).toBe(202);
    const accepted = (await response.json()) as ExportAnswer;
    const place = new URL(response.headers.get('location')!, response.url).href;
    expect(place).toBe(`${ground.daemon.url}/v1/exports/${accepted.id}`);

    await using events = await readEvents(`${place}/events`, { authorization: `Bearer ${exporter}` });
    let last: ExportAnswer;
    do last = JSON.parse((await events.next(20_000)).data!) as ExportAnswer;
    while (last.state === 'queued' || last.state === 'running');
    await events.ended();
    expect(last).toMatchObject({ id: accepted.id, state: 'ready', progress: { done: 1, total: 1 } });

    const file = await ground.get(`/v1/exports/${accepted.id}/file`, exporter);
    expect(file.status).toBe(200);
    expect(file.headers.get('content-type')).toMatch(/^text\/csv/);
    expect(file.headers.get('content-disposition')).toContain(`attachment; filename="${last.file!.name}"`);
    expect(file.headers.get('content-length')).toBe(String(last.file!.bytes));
    expect(file.headers.get('cache-control')).toBe('no-store');
    const bytes = Buffer.from(await file.arrayBuffer());
    expect(bytes).toHaveLength(last.file!.bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(last.file!.sha256);
    expect(bytes.toString()).toContain('block');

    expect((await ground.get(`/v1/exports/${accepted.id}`, exporter, { method: 'DELETE' })).status).toBe(204);
    for (const route of ['', '/file', '/events']) {
      expect((await ground.get(`/v1/exports/${accepted.id}${route}`, exporter)).status).toBe(404);
    }
  });

  test('is an Excel file unless another format is asked for', async () => {
    const view = await made({});
    const file = await ground.get(`/v1/exports/${view.id}/file`, exporter);
    expect(file.headers.get('content-type')).toBe(
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    );
    expect(
      Buffer.from(await file.arrayBuffer())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK');
  });

  test('asked for again with the same Idempotency-Key is the same one; another request with it is refused', async () => {
    const headers = { 'idempotency-key': 'monday-report' };
    const first = await ask({ format: 'ndjson' }, exporter, headers);
    const again = await ask({ format: 'ndjson' }, exporter, headers);
    expect([first.status, again.status]).toEqual([202, 200]);
    expect(((await again.json()) as ExportAnswer).id).toBe(((await first.json()) as ExportAnswer).id);
    expect((await ask({ format: 'csv' }, exporter, headers)).status).toBe(422);
    expect((await ask({}, exporter, { 'idempotency-key': 'x'.repeat(201) })).status).toBe(400);
  });

  test.each([
    [{ from: '2026-11-01', to: '2026-11-20' }, 422, 'RANGE_TOO_LONG'],
    [{ from: 'x' }, 400, 'RANGE_INVALID'],
    [{ format: 'pdf' }, 400, 'HTTP_BODY_INVALID'],
    [{ timezone: 'Mars/Olympus' }, 400, 'HTTP_BODY_INVALID'],
    [{ timezone: '+02:00' }, 400, 'HTTP_BODY_INVALID'],
    [{ action: [] }, 400, 'HTTP_BODY_INVALID'],
    [{ action: [1] }, 400, 'HTTP_BODY_INVALID'],
    [{ entityType: ['agent', ''] }, 400, 'HTTP_BODY_INVALID'],
    [{ entity: '' }, 400, 'HTTP_BODY_INVALID'],
    [{ q: ['a', 'b'] }, 400, 'HTTP_BODY_INVALID'],
    [{ actoin: ['block'] }, 400, 'HTTP_BODY_INVALID'],
    [{ action: 'block' }, 400, 'HTTP_BODY_INVALID'],
    [{ filters: {} }, 400, 'HTTP_BODY_INVALID'],
    [{ q: 'a\u0000b' }, 400, 'HTTP_REQUEST_INVALID'],
    [[], 400, 'HTTP_BODY_INVALID'],
    ['text', 400, 'HTTP_BODY_INVALID'],
    [null, 400, 'HTTP_BODY_INVALID'],
  ])('%j is refused with %i %s', async (body, status, code) => {
    const response = await ask(body);
    expect(await response.json()).toMatchObject({ status, code });
    expect(response.status).toBe(status);
  });

  test('may be narrowed by what a page may be narrowed by, up to the same limits', async () => {
    const statuses = async (filters: Readonly<Record<string, string | readonly string[]>>) => {
      const query = new URLSearchParams(
        Object.entries(filters).flatMap(([name, value]) => [value].flat().map((text) => [name, text])),
      );
      const page = await ground.get(`/v1/entries?${query}`, exporter);
      return [page.status, (await ask(filters)).status];
    };
    expect(await statuses({ q: '€'.repeat(1000) })).toEqual([200, 202]);
    expect(await statuses({ q: 'x'.repeat(1001) })).toEqual([400, 400]);
    const keys = Array.from({ length: 501 }, () => randomUUID());
    expect(await statuses({ modifier: keys.slice(1) })).toEqual([200, 202]);
    expect(await statuses({ modifier: keys })).toEqual([400, 400]);
  });

  test('of somebody else does not exist, but for admins', async () => {
    const view = await made({ format: 'csv' });
    const other = await ground.token({ name: 'Olaf', role: 'exporter' });
    for (const route of ['', '/file', '/events']) {
      expect((await ground.get(`/v1/exports/${view.id}${route}`, other)).status).toBe(404);
    }
    expect((await ground.get(`/v1/exports/${view.id}`, other, { method: 'DELETE' })).status).toBe(404);
    expect(await (await ground.get('/v1/exports', other)).json()).toEqual({ items: [], next: null });
    const admin = await ground.token({ name: 'Ada' });
    const listed = (await (await ground.get('/v1/exports', admin)).json()) as { items: ExportAnswer[] };
    expect(listed.items.map((item) => item.id)).toContain(view.id);
    expect((await ground.get(`/v1/exports/${view.id}/file`, admin)).status).toBe(200);
  });

  test('of a tenant-scoped token holds its tenant only, and is not seen by admins of another', async () => {
    const scoped = await ground.token({ role: 'exporter', tenant: 'one' });
    const view = await made({ format: 'ndjson' }, scoped);
    const text = await (await ground.get(`/v1/exports/${view.id}/file`, scoped)).text();
    expect(text).toContain('"tenant":"one"');
    expect(text).not.toContain('Rival');
    const refused = await ask({ tenant: 'two' }, scoped);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'HTTP_FORBIDDEN' });
    const rival = await ground.token({ role: 'admin', tenant: 'two' });
    expect((await ground.get(`/v1/exports/${view.id}`, rival)).status).toBe(404);
    expect((await ground.get(`/v1/exports/${view.id}/file`, rival)).status).toBe(404);
  });

  test('and its download are recorded, with the filters', async () => {
    const recorder = await ground.token({ name: 'recorded', role: 'exporter' });
    const view = await made({ format: 'csv', action: ['block'] }, recorder);
    await (await ground.get(`/v1/exports/${view.id}/file`, recorder)).arrayBuffer();
    const rows = await ground.trail.query(
      `select action, route, filters from trail.access where token_name = 'recorded' order by at`,
    );
    expect(rows).toEqual([
      { action: 'export', route: 'POST /v1/exports', filters: { format: 'csv', action: ['block'] } },
      { action: 'download', route: 'GET /v1/exports/:id/file', filters: { id: view.id } },
    ]);
  });

  test('is counted in the metrics', async () => {
    const metrics = await (await ground.get('/metrics', await ground.token())).text();
    expect(metrics).toMatch(/waltrail_exports\{state="ready"\} [1-9]/);
    expect(metrics).toMatch(
      /waltrail_export_duration_seconds_max 0\.\d+|waltrail_export_duration_seconds_max \d/,
    );
  });
});
