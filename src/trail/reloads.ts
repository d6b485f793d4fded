import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect } from '../pg/connect.js';
import { takeRole } from './roles.js';

/** Answer of one daemon to a request to read its configuration file again. */
export interface ReloadAnswer {
  /** Whether the daemon has the role capture. */
  readonly captures: boolean;
  /** Digest of the configuration in the daemon's file; null: the daemon refused the file. */
  readonly digest: string | null;
  /** A sentence for the operator. */
  readonly outcome: string;
}

/** Asks every daemon of the trail to read its configuration file again. Returns the number of the request. */
export async function askReload(client: pg.Client, account: string | null): Promise<number> {
  const { rows } = await client.query<{ id: number }>(/* sql */ `select trail.ask_reload($1) as id`, [
    account,
  ]);
  return rows[0]!.id;
}

/** Reads the answers that have arrived so far, ordered by process. */
export async function readReloadAnswers(
  client: pg.Client,
  reload: number,
): Promise<(ReloadAnswer & { readonly process: string })[]> {
  const { rows } = await client.query<ReloadAnswer & { process: string }>(
    /* sql */ `select process, captures, digest, outcome from trail.reload_answer where reload_id = $1 order by process`,
    [reload],
  );
  return rows;
}

const POLL_MS = 1_000;

/**
 * Watches for requests to read the configuration file again, and answers them. If the trail cannot be
 * reached, every poll tries again. Only a debug line reports this, because other parts of the daemon report a
 * lost trail.
 */
export function watchReloads(options: {
  readonly url: string;
  readonly log: Log;
  readonly reload: (asked: { readonly by: string }) => Promise<ReloadAnswer>;
}): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const finished = run(options, stopping.signal);
  return {
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

async function run(options: Parameters<typeof watchReloads>[0], signal: AbortSignal): Promise<void> {
  let client: pg.Client | undefined;
  let seen: number | undefined;
  while (!signal.aborted) {
    try {
      client ??= await open(options.url, signal);
      // This process has read the file after every earlier request, so it answers only later ones.
      seen ??= (await requestsAbove(client, 0)).at(-1)?.id ?? 0;
      for (const { id, asked_by } of await requestsAbove(client, seen)) {
        seen = id;
        await answer(client, { id, ...(await options.reload({ by: asked_by })) });
      }
    } catch (error) {
      options.log.debug({ code: codeOf(error) }, 'Requests to reload cannot be read from the trail.');
      if (client !== undefined) await close(client);
      client = undefined;
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  if (client !== undefined) await close(client);
}

async function open(url: string, signal: AbortSignal): Promise<pg.Client> {
  const client = await connect({ url, side: 'trail', purpose: 'reload', signal });
  await takeRole(client, 'waltrail_keeper');
  return client;
}

async function requestsAbove(client: pg.Client, id: number): Promise<{ id: number; asked_by: string }[]> {
  const { rows } = await client.query<{ id: number; asked_by: string }>(
    /* sql */ `select id, asked_by from trail.reload where id > $1 order by id`,
    [id],
  );
  return rows;
}

async function answer(
  client: pg.Client,
  { id, captures, digest, outcome }: ReloadAnswer & { readonly id: number },
) {
  await client.query(/* sql */ `select trail.answer_reload($1, $2, $3, $4, $5)`, [
    id,
    `${os.hostname()}:${process.pid}`,
    captures,
    digest,
    outcome,
  ]);
}
