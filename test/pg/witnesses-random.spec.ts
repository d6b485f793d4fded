import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { captureGround, type PlainEntry } from '../support/capture.ts';
import { Application, WORK_SESSION, WORK_SQL, WORK_YAML } from '../support/witnessed-work.ts';

/** One of so many transactions does not fit into the buffers. */
const LARGE_OF = 80;
const STREAMED_SQL = `do $$ begin
    execute format('alter database %I set logical_decoding_work_mem = ''64kB''', current_database());
  end $$;`;

test.each([
  ['400 random transactions with messages, witnesses and columns', 400, '', ''],
  ['80 that are streamed while they run', 80, STREAMED_SQL, ''],
  ['200 with all of these and the session', 200, '', WORK_SESSION],
  ['40 with the session that are streamed', 40, STREAMED_SQL, WORK_SESSION],
] as const)('of %s no change has a wrong name', async (_, transactions, settingSql, session) => {
  const seed = Number(process.env.WALTRAIL_TEST_SEED ?? Date.now() % 1_000_000);
  const application = new Application(seed, { setsSettings: session !== '' });
  const spoolFolder = await mkdtemp(path.join(tmpdir(), 'waltrail-witnesses-'));
  await using g = await captureGround({
    schemaSql: WORK_SQL + settingSql,
    yaml: `${WORK_YAML}\n${session}`,
    options: { spoolFolder },
  });
  const truth: (string | null)[] = [];
  for (let index = 1; index <= transactions; index++) {
    const { sql, actors } = application.transaction({
      isLarge: index % LARGE_OF === 0 || (settingSql !== '' && index % 16 === 0),
    });
    await g.source.query(sql);
    truth.push(...actors);
  }
  const entries = await g.caughtUp();
  expect([seed, entries.length]).toEqual([seed, truth.length]);
  const wrong = entries.flatMap(({ modifierKey, rung, operation, table, entityId, xid }, index) =>
    modifierKey === null || modifierKey === truth[index]
      ? []
      : [`${xid} ${operation} ${table} ${entityId}: ${rung} ${modifierKey}, not ${truth[index]}`],
  );
  expect([seed, wrong.slice(0, 20)]).toEqual([seed, []]);
  const byRung = (letter: string) => entries.filter(({ rung }) => rung === letter).length;
  const somebody = truth.filter((actor) => actor !== null).length;
  for (const rung of ['a', 'm', 'c']) expect([seed, rung, byRung(rung) > 0]).toEqual([seed, rung, true]);
  if (settingSql !== '') {
    const [slot] = await g.source.query<{ streamed: string }>(
      `select stream_txns as streamed from pg_stat_replication_slots where slot_name = $1`,
      [g.config.source.slot],
    );
    expect(Number(slot!.streamed)).toBeGreaterThan(0);
  }
  await g.capture.stop();
  await rm(spoolFolder, { recursive: true });
  // Few are left without: what one person did alone without an audit row, and what does not come out even.
  // Counted by person and transaction, or a single large one would decide.
  const acts = (isCounted: (entry: PlainEntry) => boolean) =>
    new Set(
      entries.flatMap((entry, index) =>
        truth[index] !== null && isCounted(entry) ? [`${entry.xid} ${truth[index]}`] : [],
      ),
    ).size;
  expect(acts(({ rung }) => rung !== '-') / acts(() => true)).toBeGreaterThan(0.85);
  if (session === '') return;
  // Whoever did something has said so in the setting, at least.
  expect([seed, entries.filter(({ rung }) => rung !== '-').length, byRung('s') > 0]).toEqual([
    seed,
    somebody,
    true,
  ]);
});
