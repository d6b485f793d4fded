import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf } from '../errors.js';
import type { Log } from '../log.js';
import { connect } from '../pg/connect.js';
import { Random } from './random.js';
import { SCENES } from './scenes.js';

export interface TrafficOptions {
  /** URL of the sample CRM. */
  readonly url: string;
  readonly log: Log;
  /** The same seed and the same rows give the same traffic. */
  readonly seed?: number;
  /** Shortest and longest pause between two transactions. */
  readonly pauseMs?: readonly [number, number];
}

/** A running simulation. `stop` ends it after the present transaction. */
export interface Traffic {
  /** Number of transactions that were committed so far. */
  transactions(): number;
  stop(): Promise<void>;
}

const DEFAULT_PAUSE_MS = [500, 2000] as const;
const RECONNECT_MS = 2000;
/** A user of psql may hold a lock on a row. The scene is then given up. */
const STATEMENT_TIMEOUT_MS = 3000;

/**
 * Simulates the people of the sample CRM with one small transaction from time to time. Each is a scene of
 * scenes.ts. If a scene fails (a row is locked, a table was dropped), it is rolled back and the next one is
 * tried. A broken connection is replaced.
 */
export function startTraffic(options: TrafficOptions): Traffic {
  const stopping = new AbortController();
  const random = new Random(options.seed ?? Date.now());
  let transactions = 0;
  const finished = play({ ...options, random, signal: stopping.signal, onCommit: () => void transactions++ });
  return {
    transactions: () => transactions,
    stop: async () => {
      stopping.abort();
      await finished;
    },
  };
}

interface Play extends TrafficOptions {
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly onCommit: () => void;
}

async function play(options: Play): Promise<void> {
  const { url, log, random, signal } = options;
  const [least, most] = options.pauseMs ?? DEFAULT_PAUSE_MS;
  let client: pg.Client | undefined;
  while (!signal.aborted) {
    try {
      client ??= await connect({ url, purpose: 'sample crm', statementTimeoutMs: STATEMENT_TIMEOUT_MS });
      if (await playScene(client, random)) options.onCommit();
      await pause(random.between(least, most), signal);
    } catch (error) {
      log.debug({ code: codeOf(error) }, 'A scene of the sample CRM failed.');
      await client?.end().catch(() => undefined);
      client = undefined;
      await pause(RECONNECT_MS, signal);
    }
  }
  await client?.end().catch(() => undefined);
}

/**
 * Plays one scene. Returns true if it committed, and false if it was rolled back and the connection can still
 * be used.
 */
async function playScene(client: pg.Client, random: Random): Promise<boolean> {
  const scene = random.weighted(SCENES);
  await client.query('begin');
  try {
    await scene.play({ client, random });
    await client.query('commit');
    return true;
  } catch {
    // If the connection is broken, this fails too, and the caller opens a new one.
    await client.query('rollback');
    return false;
  }
}

/** Waits. Ends early, without an error, if `signal` fires. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
