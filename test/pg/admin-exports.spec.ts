import { createHash, randomUUID } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
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

interface Answered {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The bytes that the server sends. `fetch` would decompress them. */
async function onTheWire(route: string, headers: Readonly<Record<string, string>>): Promise<Answered> {
  const request = http.get(new URL(route, ground.daemon.url), {
    agent: false,
    headers: { ...headers, authorization: `Bearer ${exporter}` },
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const body = Buffer.concat((await response.toArray()) as Buffer[]);
  return { status: response.statusCode, headers: response.headers, body };
}

describe('an export', () => {
  test('is accepted with its place in the queue, runs, is watched, downloaded whole and deleted', async () => {
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

  test('is the same one for a repeated Idempotency-Key, and another request with that key is refused', async () => {
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

  test('takes the same filters as a page, with the same limits', async () => {
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

  test('is visible to its owner and to admins only', async () => {
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

  test('holds only the tenant of its token, and admins of another tenant do not see it', async () => {
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

  test('is recorded with its filters, and so is its download', async () => {
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

  test('resumes a download that broke off, as curl -C - does', async () => {
    const view = await made({ format: 'xlsx' });
    const { bytes: size, sha256 } = view.file!;
    const route = `/v1/exports/${view.id}/file`;
    const whole = await ground.get(route, exporter);
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    const etag = whole.headers.get('etag')!;
    expect(etag).toBe(`"${sha256}"`);
    const first = Buffer.from(await whole.arrayBuffer()).subarray(0, 1_000);
    const rest = await ground.get(route, exporter, {
      headers: { range: `bytes=${first.length}-`, 'if-range': etag, 'accept-encoding': 'gzip, br' },
    });
    expect(rest.status).toBe(206);
    expect(rest.headers.get('content-range')).toBe(`bytes 1000-${size - 1}/${size}`);
    expect(rest.headers.get('content-length')).toBe(String(size - 1_000));
    expect(rest.headers.get('content-encoding')).toBeNull();
    expect(rest.headers.get('etag')).toBe(etag);
    const both = Buffer.concat([first, Buffer.from(await rest.arrayBuffer())]);
    expect(createHash('sha256').update(both).digest('hex')).toBe(sha256);

    const middle = await ground.get(route, exporter, { headers: { range: 'bytes=10-19' } });
    expect([middle.status, middle.headers.get('content-range')]).toEqual([206, `bytes 10-19/${size}`]);
    expect(Buffer.from(await middle.arrayBuffer())).toEqual(both.subarray(10, 20));
    const wholeAgain: Record<string, string>[] = [
      { range: 'bytes=10-19', 'if-range': '"another"' },
      { range: 'bytes=0-1,10-19' },
      { range: 'lines=1-2' },
    ];
    for (const headers of wholeAgain) {
      const answer = await ground.get(route, exporter, { headers });
      expect([answer.status, answer.headers.get('content-range')]).toEqual([200, null]);
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(both);
    }
    // The request of curl for a file that is complete.
    const beyond = await ground.get(route, exporter, { headers: { range: `bytes=${size}-` } });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${size}`]);
    expect(await beyond.json()).toMatchObject({ code: 'HTTP_RANGE_UNSATISFIABLE', status: 416 });
  });

  test.each(['csv', 'ndjson', 'xlsx'])(
    'is sent unchanged as %s, whole and in part, when the client accepts compressed answers',
    async (format) => {
      // Large enough that compression would be worth it.
      await ground.add({ action: `long_${format}`, entityName: 'Long '.repeat(1_000) });
      const view = await made({ format, action: [`long_${format}`] });
      const { bytes: size, sha256 } = view.file!;
      const route = `/v1/exports/${view.id}/file`;
      const headers = { 'accept-encoding': 'gzip, br' };
      const whole = await onTheWire(route, headers);
      expect([whole.status, whole.headers['content-encoding']]).toEqual([200, undefined]);
      expect(whole.headers['content-length']).toBe(String(size));
      expect(createHash('sha256').update(whole.body).digest('hex')).toBe(sha256);
      const rest = await onTheWire(route, { ...headers, range: 'bytes=500-' });
      expect([rest.status, rest.headers['content-encoding']]).toEqual([206, undefined]);
      expect(rest.body.equals(whole.body.subarray(500))).toBe(true);
    },
  );

  test('is resumed by curl itself after its connection broke', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-curl-'));
    try {
      const view = await made({ format: 'csv' });
      const { bytes: size, sha256 } = view.file!;
      const file = path.join(folder, 'file');
      const url = `${ground.daemon.url}/v1/exports/${view.id}/file`;
      const headers = ['-H', `Authorization: Bearer ${exporter}`, '-H', `If-Range: "${sha256}"`];
      const whole = Buffer.from(
        await (await ground.get(`/v1/exports/${view.id}/file`, exporter)).arrayBuffer(),
      );
      await writeFile(file, whole.subarray(0, Math.floor(size / 2)));
      const resume = () =>
        promisify(execFile)('curl', ['-sS', '--fail', '-C', '-', '-o', file, ...headers, url]);
      await resume();
      expect(await readFile(file)).toEqual(whole);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('has no bytes to ask for when it has no entries', async () => {
    const view = await made({ format: 'ndjson', q: 'no such text' });
    const route = `/v1/exports/${view.id}/file`;
    expect((await ground.get(route, exporter)).headers.get('content-length')).toBe('0');
    const none = await ground.get(route, exporter, { headers: { range: 'bytes=0-' } });
    expect([none.status, none.headers.get('content-range')]).toEqual([416, 'bytes */0']);
  });

  test('describes its file in answer to HEAD, without sending it or recording a download', async () => {
    const recorder = await ground.token({ name: 'head', role: 'exporter' });
    const view = await made({ format: 'csv' }, recorder);
    const head = await ground.get(`/v1/exports/${view.id}/file`, recorder, {
      method: 'HEAD',
      headers: { range: 'bytes=1-2' },
    });
    expect(head.status).toBe(200);
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'content-length': String(view.file!.bytes),
      'accept-ranges': 'bytes',
      etag: `"${view.file!.sha256}"`,
    });
    expect(await head.text()).toBe('');
    expect(
      await ground.trail.query(
        `select action, route from trail.access where token_name = 'head' and action <> 'export'`,
      ),
    ).toEqual([{ action: 'read', route: 'HEAD /v1/exports/:id/file' }]);
  });

  test('has the same headers for HEAD as for GET, for every kind of request', async () => {
    const view = await made({ format: 'csv' });
    for (const suffix of ['', '/events', '/file']) {
      const route = `/v1/exports/${view.id}${suffix}`;
      const [get, head] = await Promise.all(
        ['GET', 'HEAD'].map((method) => ground.get(route, exporter, { method })),
      );
      const shown = ({ headers }: Response) =>
        ['content-type', 'cache-control', 'x-accel-buffering', 'vary'].map((name) => headers.get(name));
      expect([suffix, head!.status, ...shown(head!)]).toEqual([suffix, 200, ...shown(get!)]);
      await Promise.all([get!.text(), head!.text()]);
    }
  });

  test('records the number of bytes that were sent when a part is downloaded', async () => {
    const recorder = await ground.token({ name: 'resumer', role: 'exporter' });
    const view = await made({ format: 'csv' }, recorder);
    const size = view.file!.bytes;
    for (const range of ['bytes=0-9', 'bytes=10-', `bytes=${size}-`])
      await (await ground.get(`/v1/exports/${view.id}/file`, recorder, { headers: { range } })).arrayBuffer();
    await (await ground.get(`/v1/exports/${view.id}/file`, recorder)).arrayBuffer();
    const rows = await ground.trail.query(
      `select action, status, delivered from trail.access where token_name = 'resumer' and action <> 'export' order by at`,
    );
    expect(rows).toEqual([
      { action: 'download', status: 206, delivered: { bytes: 10, from: 0, of: size } },
      { action: 'download', status: 206, delivered: { bytes: size - 10, from: 10, of: size } },
      { action: 'download', status: 200, delivered: null },
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
