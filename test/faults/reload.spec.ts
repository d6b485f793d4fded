import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import pg from 'pg';
import { applyTracking, readEntries, testConfig, untilCaughtUp } from '../support/capture.ts';
import { waltrail, type CommandResult } from '../support/command.ts';
import { daemonGround } from '../support/daemon.ts';
import { freshDatabase } from '../support/database.ts';
import { expectSame } from '../support/same.ts';
import { generator } from '../support/random.ts';
import { until } from '../support/until.ts';

const FULL = process.env.WALTRAIL_TEST_FAULTS === 'full';
const ROUNDS = Number(process.env.WALTRAIL_TEST_RELOADS ?? (FULL ? 200 : 8));
const SEED = Number(process.env.WALTRAIL_TEST_SEED ?? Date.now() % 1_000_000);
const TABLES = ['t0', 't1', 't2', 't3', 't4'];

/**
 * Each row records the round whose rules its table had when the row was written. `rounds` is changed in the
 * transaction that changes the publication, which waits for writers and blocks them. 0 means that the table
 * was not tracked.
 */
const SQL = `
  create table words (id int primary key, word text);
  insert into words select i, 'word ' || i from generate_series(1, 9) i;
  create schema oracle;
  create table oracle.rounds (name text primary key, round int not null);
  ${TABLES.map(
    (name) => `
  insert into oracle.rounds values ('${name}', 0);
  create table ${name} (id bigint generated always as identity primary key, round int not null, word_id int);`,
  ).join('')}`;

/** Content of a file: tables with the round in which they were added, and settings that need no apply. */
interface File {
  readonly tracked: ReadonlyMap<string, number>;
  readonly labelled: boolean;
  readonly action: number;
}

const yamlOf = ({ tracked, labelled, action }: File): string => `
tables:
  public.words: { entity: word }
${[...tracked]
  .map(
    ([name, round]) =>
      `  public.${name}: { entity: ${name}_${round}, actions: [{ on: insert, action: add_${action} }]${labelled ? ', labels: { word_id: { table: public.words, key: id, name: "{word}" } }' : ''} }`,
  )
  .join('\n')}`;

test(
  'for any order of changed files, reloads, applies, kills and starts, each row is stored by the rules of its position, and there is no gap',
  async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query(SQL);
    const random = generator(SEED);
    let file: File = { tracked: new Map([['t0', 1]]), labelled: false, action: 0 };
    const config = () => testConfig({ source, trail, yaml: yamlOf(file) });
    const textOf = () => `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${yamlOf(file)}`;
    await source.query(`update oracle.rounds set round = 1 where name = 't0'`);
    await applyTracking(config());
    await using daemons = await daemonGround({ sourceUrl: source.url, trailUrl: trail.url, yaml: textOf() });
    const yaml = path.join(daemons.folder, 'waltrail.yaml');
    const environment = {
      WALTRAIL_SOURCE_URL: source.url,
      WALTRAIL_TRAIL_URL: trail.url,
      WALTRAIL_CONFIG: yaml,
    };
    let daemon = daemons.start();
    await until(
      'the trail to begin',
      async () => (await trail.query('select from trail.checkpoint')).length > 0,
    );
    const digest = async (): Promise<string | undefined> =>
      (
        await trail.query<{ digest: string }>(
          'select digest from trail.configuration order by id desc limit 1',
        )
      )[0]?.digest;
    await until('the first configuration', async () => (await digest()) !== undefined);

    await using writers = startWriters(source.url);

    /**
     * Applies like a DBA who runs the SQL of plan and notes it. It is the same transaction as that of
     * `waltrail apply`.
     */
    const apply = async (round: number, moved: readonly string[]): Promise<void> => {
      for (;;) {
        try {
          await applyTracking(config(), {
            before: moved.map(
              (name) =>
                `update oracle.rounds set round = ${file.tracked.has(name) ? round : 0} where name = '${name}'`,
            ),
          });
          return;
        } catch (error) {
          if ((error as { code?: string }).code !== 'TRACKING_LOCK_TIMEOUT') throw error;
        }
      }
    };

    /** Sends SIGHUP, but not to a process without a log line: it has no handler yet and would end. */
    const hangUp = (): void => {
      if (!daemon.exited && daemon.log() !== '') process.kill(daemon.pid, 'SIGHUP');
    };
    const reloads: Promise<CommandResult>[] = [];
    const orders: Record<string, number> = {};
    for (let round = 2; round < ROUNDS + 2; round++) {
      const moved = random(4) === 0 ? [] : TABLES.slice(1).filter(() => random(3) === 0);
      const tracked = new Map(file.tracked);
      for (const name of moved) if (!tracked.delete(name)) tracked.set(name, round);
      file = {
        tracked,
        labelled: random(2) === 0 ? file.labelled : !file.labelled,
        action: random(2) === 0 ? file.action : round,
      };
      const steps = shuffled(['apply', 'reload', 'kill', 'hang up', 'stop'].slice(0, 2 + random(4)), random);
      orders[steps.join(' ')] = (orders[steps.join(' ')] ?? 0) + 1;
      await writeFile(yaml, textOf());
      for (const step of steps) {
        await delay(random(120));
        if (step === 'apply') await apply(round, moved);
        // Not awaited: a request to a daemon that was just killed takes long.
        if (step === 'reload') reloads.push(waltrail(['reload'], environment));
        if (step === 'kill') await daemon.kill('SIGKILL');
        if (step === 'stop') await daemon.kill('SIGTERM');
        if (step === 'kill' || step === 'stop') daemon = daemons.start();
        if (step === 'hang up') hangUp();
      }
      if (!steps.includes('apply')) await apply(round, moved);
      // A change that needs no apply takes effect with a reload or a start.
      if (moved.length === 0) hangUp();
      const wanted = config().definition.digest;
      await until(
        `seed ${SEED}, round ${round} (${steps.join(' ')}) to be in effect: ${daemon.log().slice(-2_000)}`,
        async () => {
          if ((await digest()) === wanted) return true;
          if (moved.length === 0) hangUp();
          return false;
        },
      );
    }
    // Either no request was answered, or a daemon had already read another file. None was refused.
    for (const { errors } of await Promise.all(reloads)) expect(errors).toMatch(/^$|No daemon of this trail/);
    await writers[Symbol.asyncDispose]();
    await untilCaughtUp(source, trail);
    await daemon.kill('SIGTERM');

    const expected: string[] = [];
    for (const name of TABLES)
      for (const { id, round } of await source.query<{ id: string; round: number }>(
        `select id::text, round from ${name} where round > 0`,
      ))
        expected.push(`${name} ${id} as ${name}_${round}`);
    const entries = (await readEntries(trail)).filter(({ table }) => /^public\.t\d$/.test(table));
    expectSame(
      entries
        .map(({ table, entityId, entityType }) => `${table.slice(7)} ${entityId} as ${entityType}`)
        .sort(),
      expected.sort(),
    );
    // Rules that need no apply also follow each other, each from its own entry on.
    const adopted = await trail.query<{ from_id: string; document: string }>(
      'select from_id::text, document from trail.configuration order by id',
    );
    const wrong = entries.filter(({ id, action, table }) => {
      const { document } = adopted.findLast(({ from_id }) => BigInt(from_id) <= id)!;
      return !document.includes(`"${table}":{"entity"`) || !document.includes(`"action":"${action}"`);
    });
    expect(wrong).toEqual([]);
    expect(await trail.query('select code, tables from trail.gap')).toEqual([]);
    process.stderr.write(
      `reloads: seed ${SEED}, ${ROUNDS} rounds, ${Object.keys(orders).length} orders, ${adopted.length} configurations, ${entries.length} entries\n`,
    );
  },
  ROUNDS * 60_000,
);

/** Starts two writers that insert into one to three tables at a time, until they are disposed. */
function startWriters(url: string): AsyncDisposable {
  let writing = true;
  const isWriting = (): boolean => writing;
  const writers = Array.from({ length: 2 }, async (_, index) => {
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    await client.connect();
    const pick = generator(SEED + 1 + index);
    while (isWriting()) {
      const names = Array.from({ length: 1 + pick(3) }, () => TABLES[pick(TABLES.length)]!);
      const inserts = names.map(
        (name) =>
          `insert into ${name} (round, word_id) select round, ${1 + pick(9)} from oracle.rounds where name = '${name}';`,
      );
      // A deadlock with apply, which then waited: nothing was written.
      await client.query(`begin; ${inserts.join(' ')} commit`).catch(() => client.query('rollback'));
      await delay(pick(12));
    }
    await client.end();
  });
  return {
    [Symbol.asyncDispose]: async () => {
      writing = false;
      await Promise.all(writers);
    },
  };
}

function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(random(left.length), 1)[0]!);
}
