import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';
import { viewGround } from '../support/tenant-view.ts';

const SCHEMA = `create table items (id int primary key, org int, note text);`;
const YAML = `tables: { public.items: { entity: item, tenant: org } }`;

const ground = (): Promise<CaptureGround> => captureGround({ schemaSql: SCHEMA, yaml: YAML });

const LARGE_BYTES = 63_000;
/** Text that compression does not shrink. */
const NOISE = Array.from({ length: LARGE_BYTES / 60 }, (_, n) =>
  createHash('sha256').update(String(n)).digest('hex').slice(0, 60),
).join('');
const large = (word: string, bytes = LARGE_BYTES): string => `${word} ${NOISE.slice(0, bytes)}`;
const say = (context: string): string =>
  `select pg_logical_emit_message(true, 'waltrail', '${JSON.stringify({ modifier: '5', context })}');`;
const add = (from: number, to = from, org = 1): string =>
  `insert into items select n, ${org}, 'note ' || n from generate_series(${from}, ${to}) n;`;
const inOne = (...steps: readonly string[]): string => `begin; ${steps.join(' ')} commit`;

/** First word of each entry's context, by ranges of entries with the same context. */
async function wordsOf(g: CaptureGround): Promise<string[]> {
  const words = (await g.caughtUp()).map(({ entityId, extra }) => {
    const { context } = (extra ?? {}) as { context?: string };
    return [entityId, context === undefined ? 'none' : context.split(' ')[0]!] as const;
  });
  return words.flatMap(([id, word], index) => (words[index - 1]?.[1] === word ? [] : [`${id} ${word}`]));
}

const storedContexts = async (g: CaptureGround): Promise<number[]> =>
  (
    await g.trail.query<{ bytes: number }>(
      `select octet_length(context) as bytes from trail.context order by id`,
    )
  ).map(({ bytes }) => bytes);

describe('a long context', () => {
  test('is stored once for all entries of its message, and shown with each', async () => {
    await using g = await ground();
    const bytesOf = async (): Promise<number> =>
      (
        await g.trail.query<{ bytes: number }>(
          `select pg_database_size(current_database())::int8::float8 as bytes`,
        )
      )[0]!.bytes;
    const before = await bytesOf();
    await g.source.query(inOne(say(large('why')), add(1, 2_000)));
    await g.caughtUp();
    expect((await bytesOf()) - before).toBeLessThan(2_000_000);
    expect(await wordsOf(g)).toEqual(['1 why']);
    expect(await storedContexts(g)).toEqual([LARGE_BYTES + 6]);
    const [size] = await g.trail.query<{ bytes: number }>(
      `select sum(octet_length(extra))::int4 as bytes from trail.entry`,
    );
    expect(size!.bytes).toBeLessThan(2_000 * 60);
    await using views = await viewGround(g.trail);
    const all = await views.as(null);
    const items = await all.items();
    expect(new Set(items.map(({ context }) => context))).toEqual(new Set([large('why')]));
    const [entry] = items;
    expect((await all.get<{ context: string }>(`entries/${entry!.id}`)).context).toBe(large('why'));
    const [readable] = await g.trail.query<{ found: number }>(
      `select count(*)::int4 as found from trail.readable where context #>> '{}' = $1`,
      [large('why')],
    );
    expect(readable!.found).toBe(2_000);
  });

  test('is stored for each message that an entry refers to, and for no other; a short one is stored in its entries', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        say(large('one')),
        say(large('two')),
        add(1, 3),
        say('short'),
        add(4),
        say(large('three')),
        add(5, 6),
        say(large('four')),
      ),
    );
    await g.source.query(inOne(add(7), say(large('late')), add(8)));
    await g.source.query(add(9));
    expect(await wordsOf(g)).toEqual(['1 two', '4 short', '5 three', '7 late', '9 none']);
    expect(await storedContexts(g)).toHaveLength(3);
  });

  test('is stored once when it comes after rows were sent to the trail and these are read again', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(add(1, 5_000), say(large('late', 2_000)), add(5_001), say(large('later', 2_000)), add(5_002)),
    );
    expect(await wordsOf(g)).toEqual(['1 late', '5002 later']);
    expect(await storedContexts(g)).toHaveLength(2);
    await g.restart();
    await g.source.query(inOne(say(large('again', 2_000)), add(5_003)));
    expect(await wordsOf(g)).toEqual(['1 late', '5002 later', '5003 again']);
    expect(await storedContexts(g)).toHaveLength(3);
  });

  test.each([
    ['names somebody', '"modifier": "5", ', ['m5', 'm5', 'm5']],
    ['names nobody', '', ['-', 'c9', 'c5']],
  ])('is stored once when it comes late and %s, with the modifier of the column', async (_, who, rungs) => {
    await using g = await captureGround({
      schemaSql: `create table items (id int primary key, note text, by text)`,
      yaml: `tables: { public.items: { entity: item, modifier: by } }`,
    });
    await g.source.query(`insert into items values (1, 'a', '9')`);
    const context = JSON.stringify(large('late'));
    await g.source.query(
      inOne(
        `update items set note = 'b' where id = 1;`,
        `insert into items values (2, 'a', '9'), (3, 'a', '5');`,
        `select pg_logical_emit_message(true, 'waltrail', '{${who}"context": ${context}}');`,
        `insert into items values (4, 'a', null);`,
      ),
    );
    const entries = (await g.caughtUp()).slice(1);
    expect(entries.slice(0, 3).map(({ rung, modifierKey }) => rung + (modifierKey ?? ''))).toEqual(rungs);
    const nine = { key: '9', name: '9', kind: 'agent' };
    const beside = who === '' ? [{ lastSetBy: nine }, {}] : [{}, { conflict: { rung: 'column', ...nine } }];
    expect(entries.map(({ extra }) => extra)).toEqual(
      [...beside, {}, {}].map((more) => ({ context: large('late'), ...more })),
    );
    expect(await storedContexts(g)).toEqual([LARGE_BYTES + 7]);
  });

  test('is not stored again after a message that is passed over', async () => {
    const key = 'b7d21a3c5e0f4d6893aa01bc5566ffee';
    await using g = await captureGround({
      schemaSql: `${SCHEMA} create extension pgcrypto;
        create function say(body text) returns pg_lsn language sql as $$
          select pg_logical_emit_message(true, 'waltrail', 'v1.' || encode(hmac(
            'v1.' || system_identifier || '.' || (pg_current_xact_id()::text::int8 % 4294967296) || '.' || body, '${key}', 'sha256'), 'hex') || '.' || body)
            from pg_control_system() $$;`,
      yaml: `messages: { signing_keys: [${key}] }\n${YAML}`,
    });
    await g.source.query(
      inOne(
        `select say('${JSON.stringify({ modifier: '5', context: large('signed') })}');`,
        add(1, 2),
        say(large('unsigned')),
        add(3, 4),
      ),
    );
    expect(await wordsOf(g)).toEqual(['1 signed']);
    expect((await g.entries()).map(({ extra }) => Object.keys(extra as object).sort())).toEqual([
      ['context'],
      ['context'],
      ['context', 'unread'],
      ['context', 'unread'],
    ]);
    expect(await storedContexts(g)).toHaveLength(1);
  });

  test('is never held in memory for all rows when each row of a transaction larger than memory has its own', async () => {
    await using g = await ground();
    const steps = Array.from({ length: 300 }, (_, n) => `${say(large(`c${n}`))} ${add(n)}`);
    await g.source.query(inOne(...steps));
    expect(await wordsOf(g)).toEqual(steps.map((_, n) => `${n} c${n}`));
    expect(await storedContexts(g)).toHaveLength(300);
  });

  test('is shown to readers of a tenant only where one of their entries refers to it', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(say(large('both', 2_000)), add(1, 1, 1), add(2, 2, 2), say(large('two', 2_000)), add(3, 3, 2)),
    );
    // The row leaves the first tenant: the context of its update belongs to the second one.
    await g.source.query(inOne(say(large('moved', 2_000)), `update items set org = 2 where id = 1;`));
    await g.caughtUp();
    await using views = await viewGround(g.trail);
    const seen = async (tenant: string): Promise<string[]> => {
      const text = await (await views.as(tenant)).everything();
      return ['both', 'two', 'moved'].filter((word) => text.includes(large(word, 2_000)));
    };
    expect(await seen('1')).toEqual(['both']);
    expect(await seen('2')).toEqual(['both', 'two', 'moved']);
    expect(await seen('3').catch(() => [])).toEqual([]);
    // Nine exports, which have the lowest priority on a busy machine.
  });
});

test('contexts are dropped with the entries of their day, and with a checkpoint that was reset', async () => {
  await using trail = await freshDatabase('trail');
  const partitions = async (name: string): Promise<string[]> =>
    (
      await trail.query<{ day: string }>(
        `select substr(c.relname, length($1) + 2) as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = ('trail.' || $1)::regclass order by 1`,
        [name],
      )
    ).map(({ day }) => day);
  const days = await partitions('entry');
  expect(days.length).toBeGreaterThan(7);
  expect(await partitions('context')).toEqual(days);
  await trail.query(`select trail.ensure_partitions(9)`);
  expect((await partitions('context')).length).toBeGreaterThan(days.length);
  await trail.query(`select trail.drop_before(trail.today() + 1)`);
  expect(await partitions('context')).toEqual(await partitions('entry'));
  await trail.query(`
    insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, next_id)
      values ('crm', '1', 1, 's', '0/1', '0/1', ((trail.today() + 1)::int8 << 32) + 5);
    insert into trail.context values (((trail.today() + 1)::int8 << 32) + 4, '1'), (((trail.today() + 1)::int8 << 32) + 5, '2');
    select trail.trim_chunks()`);
  expect(await trail.query(`select context from trail.context`)).toEqual([{ context: '1' }]);
});
