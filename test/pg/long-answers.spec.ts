import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { revokeTokensNamed } from '../../src/admin/auth/tokens.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { readEvents } from '../support/sse.ts';
import { until } from '../support/until.ts';

/** An answer ends at the first check after its token has ended and is no longer cached. */
const END_MS = 15_000;
/** More than all buffers between a file and a client that does not read. */
const LARGE = 16 * 1024 * 1024;

let ground: ApiGround;
beforeAll(async () => {
  ground = await apiGround({ roles: ['api', 'exports'] });
  const big = 'x'.repeat(4 * 1024 * 1024);
  for (let n = 0; n * big.length < LARGE; n++)
    await ground.add({ action: 'big', tenant: 'one', updated: ['1', big, 'f', '0'] });
});
afterAll(async () => ground[Symbol.asyncDispose]());

const request = async (token: string, body: object): Promise<string> => {
  const response = await ground.get('/v1/exports', token, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return ((await response.json()) as { id: string }).id;
};

const made = async (token: string, body: object): Promise<string> => {
  const id = await request(token, body);
  await until('the file', async () => {
    const { state } = (await (await ground.get(`/v1/exports/${id}`, token)).json()) as { state: string };
    return state === 'ready';
  });
  return id;
};

/** How often this process has the file of an export open. */
const openFiles = (id: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(id);
    } catch {
      return false;
    }
  }).length;

const download = async (id: string, token: string): Promise<http.IncomingMessage> => {
  const asked = http.get(`${ground.daemon.url}/v1/exports/${id}/file`, {
    agent: false,
    headers: { authorization: `Bearer ${token}` },
  });
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage];
  response.on('error', () => undefined);
  return response;
};

describe('an answer that takes long', () => {
  test('ends with its token: the progress of an export, and a download with its open file', async () => {
    const stays = await ground.token({ name: 'stays', role: 'exporter' });
    const leaver = await ground.token({ name: 'leaver', role: 'exporter' });
    const id = await made(leaver, { format: 'ndjson', action: ['big'] });
    // Another export of the token is running, so this one waits.
    const [{ token: tokenId } = { token: '' }] = await ground.trail.query<{ token: string }>(
      `select token_id as token from trail.export where id = '${id}'`,
    );
    const holder = await ground.pool.connect();
    await holder.query(`select pg_advisory_lock($1, hashtext($2))`, [0x57546578, tokenId]);
    try {
      const waits = await request(leaver, { format: 'csv' });
      await using events = await readEvents(`${ground.daemon.url}/v1/exports/${waits}/events`, {
        authorization: `Bearer ${leaver}`,
      });
      await events.next();
      const paused = await download(id, leaver);
      paused.pause();
      const other = await made(stays, { format: 'ndjson', action: ['big'] });
      const kept = await download(other, stays);
      kept.pause();
      await until('the open files', () => openFiles(id) > 0 && openFiles(other) > 0);
      await revokeTokensNamed(ground.pool, 'leaver');
      await events.ended(END_MS);
      await until('the end of the download', () => openFiles(id) === 0, END_MS);
      expect(openFiles(other)).toBeGreaterThan(0);
      let bytes = 0;
      kept.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
      await once(kept, 'end');
      expect(bytes).toBe(Number(kept.headers['content-length']));
      await until('the end of the other download', () => openFiles(other) === 0);
    } finally {
      await holder.query('select pg_advisory_unlock_all()');
      holder.release();
    }
  });

  test('ends when its token sees another tenant, or has another role', async () => {
    const changed = async (change: string): Promise<void> => {
      const name = `changed to ${change}`;
      const token = await ground.token({ name, role: 'viewer', tenant: 'one' });
      await using events = await readEvents(`${ground.daemon.url}/v1/entries/stream`, {
        authorization: `Bearer ${token}`,
      });
      await ground.pool.query(`update trail.token set ${change} where name = $1`, [name]);
      await events.ended(END_MS);
    };
    await Promise.all([`tenant = 'two'`, `role = 'admin'`].map(changed));
  });

  test('begins after the pipelined request before it was answered, however long that takes', async () => {
    const token = await ground.token({ name: 'pipeline' });
    const { hostname, port } = new URL(ground.daemon.url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    const get = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    // A search takes longer than it takes to open a stream.
    socket.write(get('/v1/entries?limit=1&q=nothing-like-it') + get('/v1/entries/stream'));
    try {
      await until('the stream', () => text.includes('event: position'), 20_000);
      const id = await ground.add();
      await until('an entry', () => text.includes(`id: ${id}`));
    } finally {
      socket.destroy();
    }
  });
});
