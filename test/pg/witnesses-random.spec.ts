import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { captureGround, type PlainEntry } from '../support/capture.ts';
import {
  Application,
  WORK_SESSION,
  WORK_SIGNED,
  WORK_SQL,
  WORK_YAML,
  type WorkChange,
} from '../support/witnessed-work.ts';

/** A transaction of this size does not fit into the buffers. */
const LARGE_OF = 80;
const STREAMED_LARGE_OF = 16;
const STREAMED_SQL = `do $$ begin
    execute format('alter database %I set logical_decoding_work_mem = ''64kB''', current_database());
  end $$;`;
/** Capture is restarted after this number of transactions. */
const RESTART_AFTER = 300;

test.each([
  { transactions: 150, what: 'messages, witnesses and columns', yaml: '', habits: {} },
  {
    transactions: 80,
    what: 'messages, witnesses and columns, streamed while they run',
    yaml: '',
    habits: {},
    isStreamed: true,
  },
  {
    transactions: 1_000,
    what: 'signed messages, forged ones, witnesses, columns and the session',
    yaml: `${WORK_SESSION}\n${WORK_SIGNED}`,
    habits: { sets: 'sometimes', signs: true },
  },
  {
    transactions: 200,
    what: 'messages, witnesses and columns, each in a session that names its user',
    yaml: WORK_SESSION,
    habits: { sets: 'always' },
  },
  {
    transactions: 40,
    what: 'messages, witnesses, columns and such sessions, streamed while they run',
    yaml: WORK_SESSION,
    habits: { sets: 'always' },
    isStreamed: true,
  },
] as const)(
  '$transactions random transactions with $what get no wrong name, and miss no known one',
  async ({ transactions, yaml, habits, ...row }) => {
    const isStreamed = 'isStreamed' in row;
    const seed = Number(process.env.WALTRAIL_TEST_SEED ?? Date.now() % 1_000_000);
    const application = new Application(seed, habits);
    const spoolFolder = await mkdtemp(path.join(tmpdir(), 'waltrail-witnesses-'));
    await using g = await captureGround({
      schemaSql: WORK_SQL + (isStreamed ? STREAMED_SQL : ''),
      yaml: `${WORK_YAML}\n${yaml}`,
      options: { spoolFolder },
    });
    const truth: WorkChange[] = [];
    for (let index = 1; index <= transactions; index++) {
      const isLarge = index % (isStreamed ? STREAMED_LARGE_OF : LARGE_OF) === 0;
      const { sql, changes } = application.transaction({ isLarge });
      await g.source.query(sql);
      truth.push(...changes);
      if (index % RESTART_AFTER === 0) await g.restart();
    }
    const entries = (await g.caughtUp()).filter(({ rung }) => rung !== 'w');
    expect([seed, entries.length]).toEqual([seed, truth.length]);
    const at = (entry: PlainEntry, index: number): string =>
      `${entry.xid} ${entry.operation} ${entry.table} ${entry.entityId}: ${entry.rung} ${entry.modifierKey}, and it was ${truth[index]!.actor}`;
    const found = (isMeant: (entry: PlainEntry, change: WorkChange) => boolean): string[] =>
      entries.flatMap((entry, index) => (isMeant(entry, truth[index]!) ? [at(entry, index)] : []));
    const wrong = found(({ modifierKey }, { actor }) => modifierKey !== null && modifierKey !== actor);
    const lacking = found(({ modifierKey }, { isKnown }) => modifierKey === null && isKnown);
    expect([seed, wrong.slice(0, 20), lacking.slice(0, 20)]).toEqual([seed, [], []]);
    const rungs = new Set(entries.map(({ rung }) => rung));
    const expected = yaml === '' ? ['a', 'm', 'c'] : ['a', 'm', 'c', 's'];
    expect([seed, expected.filter((rung) => !rungs.has(rung))]).toEqual([seed, []]);
    if (isStreamed) {
      const [slot] = await g.source.query<{ streamed: string }>(
        `select stream_txns as streamed from pg_stat_replication_slots where slot_name = $1`,
        [g.config.source.slot],
      );
      expect(Number(slot!.streamed)).toBeGreaterThan(0);
    }
    await g.capture.stop();
    await rm(spoolFolder, { recursive: true });
    // Counted by person and transaction. Otherwise a single large transaction would decide.
    const acts = (isCounted: (entry: PlainEntry, change: WorkChange) => boolean): number =>
      new Set(
        entries.flatMap((entry, index) => {
          const change = truth[index]!;
          return change.actor !== null && isCounted(entry, change) ? [`${entry.xid} ${change.actor}`] : [];
        }),
      ).size;
    // Checks that the generator knows most names. Otherwise few could be missing.
    expect(acts((_, { isKnown }) => isKnown) / acts(() => true)).toBeGreaterThan(0.75);
  },
);
