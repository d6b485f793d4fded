import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createLog } from '../../src/log.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';

const SCHEMA = `
  create table agents (id int primary key, name text);
  insert into agents values (2, 'Omer Katz'), (7, 'Dana Levi');
  create table items (id bigint generated always as identity primary key, name text, updated_by text);`;
const YAML = `
messages: { trust_names: true }
modifiers: { table: public.agents, key: id, name: "{name}" }
tables: { public.items: { entity: item, name: "{name}", modifier: updated_by } }`;

type LogLine = Readonly<Record<string, unknown>>;

interface MessageGround extends CaptureGround {
  readonly logged: LogLine[];
  readAgain(): number;
}

async function ground(yaml = YAML): Promise<MessageGround> {
  const logged: LogLine[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(JSON.parse(chunk.toString()) as LogLine);
      done();
    },
  });
  const log = createLog({ level: 'debug', destination });
  const g = await captureGround({ schemaSql: SCHEMA, yaml, log });
  return Object.assign(g, {
    logged,
    readAgain: () => logged.filter(({ code }) => code === 'PIPELINE_READ_AGAIN').length,
  });
}

const emit = (prefix: string, content: string, transactional = true) =>
  `select pg_logical_emit_message(${transactional}, '${prefix}', $json$${content}$json$);`;
const say = (content: string) => emit('waltrail', content);
const bemi = (content: string) => emit('_bemi', content);
/** A change whose modifier column names user 1, who is in no table. */
const add = (name: string) => `insert into items (name, updated_by) values ('${name}', '1');`;
const inOne = (...statements: readonly string[]) => `begin; ${statements.join(' ')} commit`;
const rows = `insert into items (name, updated_by) select 'a name of some length ' || i, '1' from generate_series(1, 5000) i;`;

/** What an entry carries. The conflict with the column, which always exists here, is left out. */
function carried({ extra }: PlainEntry): unknown {
  const members = Object.entries(extra ?? {}).filter(([name]) => name !== 'conflict');
  return members.length === 0 ? null : Object.fromEntries(members);
}

/** One line for each entry: its name, who made it and how that was found, and what else it carries. */
const lines = (entries: readonly PlainEntry[]) =>
  entries.map((entry) =>
    [
      entry.entityName,
      entry.rung === '-' ? '-' : `${entry.rung} ${entry.modifierKey} ${entry.modifier}`,
      ...(carried(entry) === null ? [] : [JSON.stringify(carried(entry))]),
    ].join(' | '),
  );

describe('a logical message', () => {
  test('applies to the changes after it until the next one, the first also to those before it', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(add('before'), say('{"modifier": 2}'), add('by 2'), say('{"modifier": 7}'), add('by 7')),
    );
    await g.source.query(inOne(add('of no message')));
    await g.source.query(
      inOne(
        bemi('{"user_id": 2}'),
        add('row by 2'),
        bemi('{"user_id": 7}'),
        add('row by 7'),
        say('{"modifier": "x"}'),
      ),
    );
    expect(lines(await g.caughtUp())).toEqual([
      'before | m 2 Omer Katz',
      'by 2 | m 2 Omer Katz',
      'by 7 | m 7 Dana Levi',
      'of no message | c 1 1',
      'row by 2 | m 2 Omer Katz | {"context":{"user_id":2}}',
      'row by 7 | m 7 Dana Levi | {"context":{"user_id":7}}',
    ]);
  });

  test('replaces name, kind and context when it names a modifier, and only the context when it gives only that', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        say('{"modifier": "x", "name": "The X", "kind": "bot", "context": {"ip": "10.0.0.2"}}'), add('x'),
        say('{"context": {"job": 1}}'), add('x in a job'),
        say('{"modifier": 7}'), add('seven has no address'),
        say('{"modifier": "x"}'), add('x has another name'),
        say('{"context": null}'), add('and no context'),
      ), // prettier-ignore
    );
    await g.source.query(
      inOne(
        add('context alone'),
        say('{"context": "why"}'),
        add('of it'),
        say('{"modifier": 2}'),
        add('named'),
      ),
    );
    const entries = await g.caughtUp();
    expect(lines(entries)).toEqual([
      'x | m x The X | {"context":{"ip":"10.0.0.2"}}',
      'x in a job | m x The X | {"context":{"job":1}}',
      'seven has no address | m 7 Dana Levi',
      'x has another name | m x x',
      'and no context | m x x',
      'context alone | c 1 1 | {"context":"why"}',
      'of it | c 1 1 | {"context":"why"}',
      'named | m 2 Omer Katz',
    ]);
    expect(entries.slice(0, 4).map(({ kind }) => kind)).toEqual(['bot', 'bot', 'agent', 'agent']);
  });

  test('lets the column count again when it clears the modifier, without a warning', async () => {
    await using g = await ground();
    const bemiNothing = ['null', 'undefined', '', '{"endpoint": "/x"}', '{"user_id": null}'];
    await g.source.query(
      inOne(
        say('{"modifier": 2, "context": 1}'), add('two'), say('{"modifier": null, "context": 2}'), add('nobody'),
        say('{"modifier": 7}'), add('seven'), say('{"modifier": null}'), add('nobody again'),
      ), // prettier-ignore
    );
    await g.source.query(
      inOne(
        ...bemiNothing.flatMap((content) => [
          bemi('{"user_id": 2}'),
          add('two'),
          bemi(content),
          add('nobody'),
        ]),
      ),
    );
    const entries = lines(await g.caughtUp());
    expect(entries.slice(0, 4)).toEqual(['two | m 2 Omer Katz | {"context":1}', 'nobody | c 1 1 | {"context":2}', 'seven | m 7 Dana Levi', 'nobody again | c 1 1']); // prettier-ignore
    expect(entries.slice(4).filter((line) => line.startsWith('nobody'))).toEqual([
      'nobody | c 1 1',
      'nobody | c 1 1',
      'nobody | c 1 1',
      'nobody | c 1 1 | {"context":{"endpoint":"/x"}}',
      'nobody | c 1 1 | {"context":{"user_id":null}}',
    ]);
    expect(g.logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    expect(g.capture.status().messagesUnread).toBe(0);
  });

  test('has no effect when it is not transactional or has another prefix', async () => {
    await using g = await ground();
    await g.source.query(inOne(emit('waltrail', '{"modifier": 2}', false), emit('other', '{"modifier": 2}'), emit('_bemi2', '{"user_id": 2}'), add('a'))); // prettier-ignore
    expect(lines(await g.caughtUp())).toEqual(['a | c 1 1']);
  });

  test('applies to the rows directly after it in a savepoint, although the source may send them first', async () => {
    await using g = await ground();
    const inSavepoint = (statement: string) => `savepoint s; ${statement} release s;`;
    // Which of two comes first depends on the number of subtransactions before and after them. A sequence
    // would write a record between the message and its row, so there is none.
    let id = 100_000;
    const addAt = (name: string) =>
      `insert into items (id, name) overriding system value values (${++id}, '${name}');`;
    const some = (count: number, name: string) =>
      Array.from({ length: count }, () => inSavepoint(addAt(name))).join(' ');
    for (let before = 1; before <= 6; before++)
      for (let after = 0; after <= 6; after++)
        await g.source.query(
          inOne(
            say('{"modifier": 7}'),
            some(before, 'by 7'),
            inSavepoint(say('{"modifier": 2}')),
            some(1 + after, 'by 2'),
          ),
        );
    // Many rows in one record of the WAL.
    for (let before = 1; before <= 6; before++)
      await g.source.query(
        inOne(
          say('{"modifier": 7}'),
          some(before, 'by 7'),
          inSavepoint(say('{"modifier": 2}')),
          inSavepoint(`copy items (name) from program 'yes "by 2" | head -n 300';`),
          some(1, 'by 2'),
        ),
      );
    const entries = await g.caughtUp();
    expect(entries.filter(({ entityName, modifierKey }) => entityName !== `by ${modifierKey}`)).toEqual([]);
    expect(entries.filter(({ modifierKey }) => modifierKey === '2').length).toBeGreaterThan(1800);
  });

  test('has no effect when its savepoint was rolled back', async () => {
    await using g = await ground();
    await g.source.query(inOne(say('{"modifier": 2}'), add('a'), 'savepoint s;', say('{"modifier": 7}'), add('gone'), 'rollback to s;', add('b'))); // prettier-ignore
    expect(lines(await g.caughtUp())).toEqual(['a | m 2 Omer Katz', 'b | m 2 Omer Katz']);
  });
});

describe('a first message that comes late', () => {
  test('causes a second reading of a transaction larger than memory, and later messages cause none', async () => {
    await using g = await ground();
    const steps = Array.from(
      { length: 4 },
      (_, index) => `${rows} ${say(`{"modifier": "import ${index}"}`)}`,
    );
    await g.source.query(inOne(...steps, rows, say('{"context": {"job": 1}}'), rows));
    await g.source.query(add('later'));
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(30_001);
    const by = (from: number, to: number) => [
      ...new Set(
        entries
          .slice(from, to)
          .map((entry) => `${entry.rung} ${entry.modifier} ${JSON.stringify(carried(entry))}`),
      ),
    ];
    expect(by(0, 10_000)).toEqual(['m import 0 null']);
    expect(by(10_000, 15_000)).toEqual(['m import 1 null']);
    expect(by(15_000, 20_000)).toEqual(['m import 2 null']);
    expect(by(20_000, 25_000)).toEqual(['m import 3 null']);
    expect(by(25_000, 30_000)).toEqual(['m import 3 {"context":{"job":1}}']);
    expect(by(30_000, 30_001)).toEqual(['c 1 null']);
    expect(g.readAgain()).toBe(1);
  });

  test.each([
    [
      'was not understood',
      '{',
      (lsn: string) => `- null {"unread":{"lsn":"${lsn}","reason":"not a JSON object"}}`,
    ],
    ['clears the modifier', '{"modifier": null, "context": 1}', () => 'c 1 {"context":1}'],
  ])('is known from the start when read again, counted once (it %s)', async (_what, content, expected) => {
    await using g = await ground();
    await g.source.query(inOne(rows, say(content), rows));
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(10_000);
    const { lsn } = (entries[0]!.extra as { unread?: { lsn: string } }).unread ?? { lsn: '' };
    expect(
      new Set(entries.map((entry) => `${entry.rung} ${entry.modifierKey} ${JSON.stringify(carried(entry))}`)),
    ).toEqual(new Set([expected(lsn)]));
    expect(g.readAgain()).toBe(1);
    expect(g.capture.status().messagesUnread).toBe(content === '{' ? 1 : 0);
  });

  test('takes no memory for a large context after many rows: the rows refer to it', async () => {
    await using g = await ground();
    const context = 'x'.repeat(60_000);
    await g.source.query(
      inOne(
        `insert into items (name) select i from generate_series(1, 200) i;`,
        say(`{"modifier": 2, "context": "${context}"}`),
      ),
    );
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(200);
    expect(
      entries.every(
        ({ modifierKey, extra }) => modifierKey === '2' && (extra as { context: string }).context === context,
      ),
    ).toBe(true);
    expect(g.readAgain()).toBe(0);
    expect(await g.trail.query(`select from trail.context`)).toHaveLength(1);
  });

  test('causes no second reading when it is repeated before each statement from the start', async () => {
    await using g = await ground();
    await g.source.query(inOne(`${say('{"modifier": "import", "context": {"job": 1}}')} ${rows}`.repeat(4)));
    const entries = await g.caughtUp();
    expect(new Set(entries.map(({ modifier, rung }) => `${modifier} ${rung}`))).toEqual(
      new Set(['import m']),
    );
    expect(entries).toHaveLength(20_000);
    expect(g.readAgain()).toBe(0);
  });
});

describe('a message that is not understood', () => {
  const HOSTILE: readonly (readonly [prefix: string, content: string, reason: string])[] = [
    ['waltrail', '{"modifier": 2', 'not a JSON object'],
    ['waltrail', '', 'not a JSON object'],
    ['waltrail', `{"context":${'['.repeat(3000)}${']'.repeat(3000)}}`, 'nested too deeply'],
    ['waltrail', '{"modifier": {"id": 2}}', 'the modifier is no key'],
    ['waltrail', '{"name": "Dana"}', 'neither modifier nor context'],
    ['_bemi', '[2]', 'not a JSON object'],
    ['_bemi', '{"user_id": [2]}', 'the modifier is no key'],
    ['_bemi', `{"user_id": 2, "x": "${'x'.repeat(5_000_000)}"}`, 'too large'],
  ];

  test('leaves the changes until the next one unattributed, stores the reason with them, and names nobody else', async () => {
    await using g = await ground();
    for (const [prefix, content] of HOSTILE)
      await g.source.query(inOne(say('{"modifier": 2, "context": 1}'), add('known'), emit(prefix, content), add('unknown'), say('{"context": 3}'), add('still'), say('{"modifier": 7}'), add('known again'))); // prettier-ignore
    await g.source.query(inOne(add('before'), say('x'), add('after')));
    const entries = await g.caughtUp();
    const [...groups] = HOSTILE.map((_, index) => entries.slice(4 * index, 4 * index + 4));
    groups.forEach(([known, unknown, still, again], index) => {
      const { unread } = unknown!.extra as { unread: { lsn: string; reason: string } };
      expect(unread).toEqual({
        lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
        reason: HOSTILE[index]![2],
      });
      expect(lines([known!, unknown!, still!, again!])).toEqual([
        'known | m 2 Omer Katz | {"context":1}',
        `unknown | - | ${JSON.stringify({ unread })}`,
        `still | - | ${JSON.stringify({ context: 3, unread })}`,
        'known again | m 7 Dana Levi',
      ]);
    });
    expect(entries.slice(-2).map(({ modifierKey, rung }) => [modifierKey, rung])).toEqual([
      [null, '-'],
      [null, '-'],
    ]);
    expect(g.capture.status().messagesUnread).toBe(HOSTILE.length + 1);
    expect(g.capture.status().error).toBeNull();
    const pool = new pg.Pool({ connectionString: g.trail.url, max: 1 });
    const shown = await new TrailReader({ pool }).entry(String(entries.at(-1)!.id));
    await pool.end();
    expect(JSON.parse(entryToJson(shown!))).toMatchObject({
      context: null,
      unreadMessage: (entries.at(-1)!.extra as { unread: unknown }).unread,
    });
  });

  test('is one log line a minute when it comes twenty thousand times, with LSN, xid, prefix and reason, and without its content', async () => {
    await using g = await ground();
    await g.source.query(
      `do $$ begin for i in 1..20000 loop perform pg_logical_emit_message(true, '_bemi', '{"secret' || i); end loop; end $$`,
    );
    await g.source.query(inOne(say('secret'), add('a')));
    await g.caughtUp();
    expect(g.capture.status().messagesUnread).toBe(20_001);
    await g.capture.stop();
    const said = g.logged.filter(({ reason }) => reason !== undefined);
    expect(said).toHaveLength(2);
    expect(said).toEqual([
      expect.objectContaining({
        messages: 1,
        prefix: '_bemi',
        reason: 'not a JSON object',
        lsn: expect.stringMatching(/\//),
        xid: expect.stringMatching(/^\d+$/),
      }),
      expect.objectContaining({ messages: 20_000, prefix: 'waltrail' }),
    ]);
    expect(JSON.stringify(g.logged)).not.toContain('secret');
  });
});

describe('the content of a message', () => {
  test('is stored in a form that every reader accepts: the API, JSON functions of SQL, the view for auditors', async () => {
    await using g = await ground();
    const hostile = [
      say('{"modifier": "1", "context": {"ua": "x \\ud83d"}}'),
      say(
        '{"modifier": "a\\u0000\\udc00", "name": "\\u0000", "context": {"k\\u0000": "\\u0000", "\\ud800": ["\\ud83d\\ude00"]}}',
      ),
      bemi(
        '{"user_id": "\\ud83d", "\\u0000": "\\u0000", "__proto__": {"x": 1}, "n": 123456789012345678901234567890}',
      ),
      say('{"modifier": 3, "context": "\\ud83d"}'),
      say('{"modifier": 4, "context": [1e400, -0, "\\u0001\\u2028"]}'),
    ];
    for (const message of hostile) await g.source.query(inOne(message, add('a')));
    const entries = await g.caughtUp();
    expect(entries.map(({ rung }) => rung).join('')).toBe('mmmmm');
    expect(entries.map(({ modifierKey }) => modifierKey)).toEqual(['1', 'a\ufffd\ufffd', '\ufffd', '3', '4']);
    const texts = await g.trail.query<{ context: string; ua: string }>(
      `select extra::json ->> 'context' as context, extra::json -> 'context' ->> 'ua' as ua from trail.entry order by id`,
    );
    expect(texts.map(({ context }) => context)).toEqual([
      '{"ua":"x \ufffd"}',
      '{"k\ufffd":"\ufffd","\ufffd":["😀"]}',
      '{"user_id":"\ufffd","\ufffd":"\ufffd","__proto__":{"x": 1},"n":123456789012345678901234567890}'.replace(
        ': 1',
        ':1',
      ),
      '\ufffd',
      '[1e400,-0,"\\u0001\u2028"]',
    ]);
    expect(texts[0]!.ua).toBe('x \ufffd');
    expect(await g.trail.query(`select context::text, context #>> '{}' from trail.readable`)).toHaveLength(5);
    const pool = new pg.Pool({ connectionString: g.trail.url, max: 1 });
    const reader = new TrailReader({ pool });
    for (const { id } of entries) {
      const shown = JSON.parse(entryToJson((await reader.entry(String(id)))!)) as { context: unknown };
      expect(shown.context).not.toBeNull();
    }
    await pool.end();
  });

  test('names its modifier also when it is very large: 70 kB under _bemi, a million characters, a name of 900 kB', async () => {
    await using g = await ground();
    const large = { endpoint: '/x', body: 'x'.repeat(70_000), userId: 7, last: true };
    await g.source.query(inOne(bemi(JSON.stringify(large)), add('70 kB')));
    await g.source.query(
      inOne(bemi(JSON.stringify({ sql: 'ü'.repeat(999_000), userId: 7 })), add('a million')),
    );
    await g.source.query(
      inOne(say(JSON.stringify({ modifier: 'k'.repeat(900_000), name: 'ü'.repeat(450_000) })), add('900 kB')),
    );
    const entries = await g.caughtUp();
    expect(entries.slice(0, 2).map((entry) => [entry.modifier, entry.rung, carried(entry)])).toEqual([
      [
        'Dana Levi',
        'm',
        {
          context: {
            endpoint: '/x',
            userId: 7,
            last: true,
            waltrail_cut: { bytes: JSON.stringify(large).length, leftOut: 1 },
          },
        },
      ],
      ['Dana Levi', 'm', { context: { userId: 7, waltrail_cut: { bytes: 1_998_021, leftOut: 1 } } }],
    ]);
    expect(entries[2]).toMatchObject({ modifier: `${'ü'.repeat(500)}…`, rung: 'm' });
    expect(entries[2]!.modifierKey!.length).toBeLessThan(1000);
    expect(g.capture.status().messagesUnread).toBe(0);
  });

  test('is masked where a rule for every table redacts the name of a member, with everything in that member', async () => {
    await using g = await ground(`redact: [ { columns: ["*secret*"], with: drop } ]\n${YAML}`);
    await g.source.query(
      inOne(
        say('{"context": {"secrets": ["alpha"], "a": {"my\\nSecret": {"b": "beta"}, "open": 1}}}'),
        add('x'),
      ),
    );
    const [entry] = await g.caughtUp();
    expect(carried(entry!)).toEqual({ context: { secrets: '***', a: { 'my\nSecret': '***', open: 1 } } });
  });
});
