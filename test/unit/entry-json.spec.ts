import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import type { Answer } from '../../src/api/answers.js';
import { printable } from '../../src/trail/read/answer-size.js';
import { decodeRows } from '../../src/trail/read/decode.js';
import { ReaderDictionaries, type StoredColumn } from '../../src/trail/read/dictionaries.js';
import type { Query } from '../../src/trail/read/plans.js';
import type { Entry, Value } from '../../src/trail/read/entry.js';
import { entryToJson, valueToJson } from '../../src/trail/read/json.js';
import type { EntryRow } from '../../src/trail/read/entry-row.js';
import { expectAnswer } from '../support/answers.ts';

const BOOL = 16;
const INT8 = 20;
const TEXT = 25;
const JSON_TYPE = 114;
const FLOAT8 = 701;
const NUMERIC = 1700;
const JSONB = 3802;

const ROW: EntryRow = {
  id: '1048577',
  committed_at: '2026-11-23T09:51:07.123456Z',
  commit_lsn: '0/16B3748',
  seq: 0,
  xid: '812',
  modifier_id: 3,
  relation_id: 1,
  tenant_id: 1,
  previous_tenant_id: null,
  entity_type_id: 1,
  action_id: 1,
  operation: 'u',
  rung: 'c',
  entity_id: '12',
  entity_name: 'Omer Katz',
  previous_entity_id: null,
  previous_entity_name: null,
  columns: null,
  previous: null,
  updated: null,
  extra: null,
};

/** Rows of dictionaries. Only entries without labels are decoded here. */
const query = ((text: string) =>
  Promise.resolve({
    rows: text.includes('trail.modifier')
      ? [{ id: 3, key: '7', name: 'Dana Levi', kind: 'agent' }]
      : [{ id: 1, name: '1' }],
  })) as unknown as Query;

async function decode(columns: readonly StoredColumn[], row: Partial<EntryRow>): Promise<Entry> {
  const dictionaries = new ReaderDictionaries();
  dictionaries.actions.add(1, 'block');
  dictionaries.entityTypes.add(1, 'agent');
  dictionaries.relations.set(1, { table: 'public.agents', columns });
  const [entry] = await decodeRows([{ ...ROW, ...row }], { query, dictionaries, scope: null });
  return entry!;
}

/** Encodes as the writer does, in the format of src/trail/values.ts. */
const encode = (values: readonly string[]): string =>
  values.map((value) => `${value.replaceAll('\x1b', '\x1b[').replaceAll('\x1f', '\x1b_')}\x1f`).join('');

const oneValue = async (type: number, stored: string): Promise<Value> =>
  (await decode([{ name: 'v', type }], { updated: stored })).updated!.get('v')!;

describe('entryToJson', () => {
  test('prints every member that the API describes, and no other', async () => {
    const entry: Entry = {
      ...(await decode([{ name: 'status', type: INT8 }], { previous: '1\x1f', updated: '3\x1f' })),
      updated: new Map([
        ['status', { kind: 'number', text: '3', label: 'offline' }],
        ['rules', { kind: 'json', text: 'null' }],
      ]),
      unknown: ['photo'],
      tooLarge: [{ side: 'updated', column: 'photo', bytes: 70_000_000, sha256: 'ab' }],
      transaction: { xid: '1', commitLsn: '0/1', seq: -1, origin: 'mobile', claimedCommitAt: 'infinity' },
      context: '{"ticket":1}',
      unreadMessage: { lsn: '0/1', reason: 'no JSON' },
    };
    const printed = JSON.parse(entryToJson(entry)) as Answer<'Entry'>;
    expectAnswer('Entry', printed);
    expect(printed).toMatchObject({
      labels: { previous: {}, updated: { status: 'offline' } },
      jsonNulls: { previous: [], updated: ['rules'] },
      unknown: entry.unknown,
      tooLarge: entry.tooLarge,
      transaction: entry.transaction,
      context: { ticket: 1 },
      unreadMessage: entry.unreadMessage,
    });
  });

  test('prints the example entry of the documentation', async () => {
    const entry = await decode([{ name: 'blocked', type: BOOL }], { previous: 'f\x1f', updated: 't\x1f' });
    expect(entryToJson(entry)).toBe(
      '{"id":"1048577","committedAt":"2026-11-23T09:51:07.123456Z",' +
        '"modifier":{"key":"7","name":"Dana Levi","kind":"agent","rung":"column"},' +
        '"action":"block","entity":{"type":"agent","name":"Omer Katz","id":"12"},"tenant":"1",' +
        '"previous":{"blocked":false},"updated":{"blocked":true},' +
        '"table":"public.agents","operation":"update","transaction":{"xid":"812","commitLsn":"0/16B3748","seq":0},"context":null}',
    );
  });

  test('lists columns that were not sent, and labels of values if there are any', async () => {
    const columns = [
      { name: 'status', type: INT8, values: { '1': 'online', constructor: 'x' } },
      { name: 'note', type: TEXT },
    ];
    const entry = await decode(columns, {
      previous: '2\x1f\x1bU\x1f',
      updated: '1\x1f\x1bN\x1f',
      columns: '!"',
    });
    expect(JSON.parse(entryToJson(entry))).toMatchObject({
      previous: { status: 2 },
      updated: { status: 1, note: null },
      labels: { previous: {}, updated: { status: 'online' } },
      unknown: ['note'],
    });
    expect(entry.previous!.has('note')).toBe(false);
  });

  test('states length and digest of a value that was too large to store', async () => {
    const entry = await decode(
      [
        { name: 'body', type: TEXT },
        { name: 'note', type: TEXT },
      ],
      { previous: 'small\x1f\x1bU\x1f', updated: '\x1bL70000000 00ff\x1fL1 2\x1f', columns: '!"' },
    );
    expect(JSON.parse(entryToJson(entry))).toMatchObject({
      previous: { body: 'small' },
      updated: { note: 'L1 2' },
      unknown: ['note', 'body'],
      tooLarge: [{ side: 'updated', column: 'body', bytes: 70_000_000, sha256: '00ff' }],
    });
    expect(entry.updated!.has('body')).toBe(false);
    expect(JSON.parse(entryToJson({ ...entry, tooLarge: [] }))).not.toHaveProperty('tooLarge');
  });

  test('distinguishes JSON null from SQL null', async () => {
    const columns = [
      { name: 'settings', type: JSONB },
      { name: 'note', type: TEXT },
    ];
    const entry = await decode(columns, {
      previous: '\x1bN\x1fnull\x1f',
      updated: 'null\x1f\x1bN\x1f',
      columns: '!"',
    });
    expect(JSON.parse(entryToJson(entry))).toMatchObject({
      previous: { settings: null, note: 'null' },
      updated: { settings: null, note: null },
      jsonNulls: { previous: [], updated: ['settings'] },
    });
  });

  test('gives no label to a value that is a built-in property name of objects', async () => {
    const entry = await decode([{ name: 'v', type: TEXT, values: {} }], {
      updated: 'constructor\x1ftoString\x1f',
    });
    expect(entry.updated!.get('v')!.label).toBeUndefined();
  });

  test('keeps every digit of a number', () =>
    fc.assert(
      fc.asyncProperty(
        fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }),
        fc.stringMatching(/^[0-9]{0,40}$/),
        async (whole, fraction) => {
          const text = `${whole}${fraction === '' ? '' : `.${fraction}`}`;
          const entry = await decode([{ name: 'v', type: NUMERIC }], { updated: encode([text]) });
          expect(entryToJson(entry)).toContain(`"updated":{"v":${text}}`);
        },
      ),
    ));

  test('prints valid JSON for any texts, names, keys and types, and keeps the texts', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.string({ unit: 'binary' }),
            fc.constantFrom(BOOL, INT8, TEXT, JSON_TYPE, FLOAT8, NUMERIC, JSONB, 0),
          ),
          {
            minLength: 1,
            maxLength: 6,
          },
        ),
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        async (fields, name, id) => {
          const columns = fields.map(([, type], index) => ({ name: `${name}${index}`, type }));
          const stored = encode(fields.map(([text]) => text));
          const entry = await decode(columns, { updated: stored, entity_name: name, entity_id: id });
          const parsed = JSON.parse(entryToJson(entry)) as {
            entity: unknown;
            updated: Record<string, unknown>;
          };
          expect(parsed.entity).toEqual({ type: 'agent', name, id });
          fields.forEach(([text, type], index) => {
            if (type === TEXT || type === 0) expect(parsed.updated[`${name}${index}`]).toBe(text);
          });
        },
      ),
    ));

  test('inserts json columns and the context unchanged', () =>
    fc.assert(
      fc.asyncProperty(fc.json(), fc.constantFrom(JSON_TYPE, JSONB), async (json, type) => {
        const entry = await decode([{ name: 'v', type }], {
          updated: encode([json]),
          extra: `{"context":${json},"origin":"east"}`,
        });
        expect(entry.updated!.get('v')).toEqual({ kind: 'json', text: json });
        const parsed = JSON.parse(entryToJson(entry)) as { context: unknown; updated: { v: unknown } };
        expect(parsed.updated.v).toEqual(JSON.parse(json));
        expect(parsed.context).toEqual(JSON.parse(json));
        expect(entry.transaction.origin).toBe('east');
      }),
    ));

  test('keeps what JSON.parse would round or drop: long numbers, -0, duplicate keys, escapes', async () => {
    const json = '{"a": 12345678901234567890.10, "a": -0, "n": 1e400, "z": "\\u0000\\ud83d\\ude00"}';
    const entry = await decode([{ name: 'v', type: JSON_TYPE }], { updated: encode([json]) });
    expect(entryToJson(entry)).toContain(`"updated":{"v":${json}}`);
  });

  test('prints json that other parsers refuse as a string, in values and in contexts', async () => {
    for (const json of [
      '{"ua":"x \\ud83d"}',
      '"\\udE00\\ud83d"',
      '{"\\uD83D":1}',
      `${'['.repeat(61)}${']'.repeat(61)}`,
      `${'{"a":['.repeat(3_000)}${']}'.repeat(3_000)}`,
    ]) {
      const entry = await decode([{ name: 'v', type: JSON_TYPE }], {
        updated: encode([json]),
        extra: `{"context":${json}}`,
      });
      const parsed = JSON.parse(entryToJson(entry)) as { context: unknown; updated: { v: unknown } };
      expect(parsed.updated.v).toBe(json);
      expect(parsed.context).toBe(json);
    }
  });

  test('omits the longest values, with size and digest, if all together exceed a JavaScript string', async () => {
    const entry = await decode(
      ['id', 'a', 'b', 'c'].map((name) => ({ name, type: TEXT })),
      { previous: null, updated: encode(['1', '\x01'.repeat(100), 'b'.repeat(300), 'c'.repeat(50)]) },
    );
    expect(printable(entry)).toBe(entry);
    const bounded = printable(entry, 400);
    expect([...bounded.updated!.keys()]).toEqual(['id', 'b', 'c']);
    expect(bounded.unknown).toEqual(['a']);
    expect(bounded.tooLarge).toEqual([
      {
        side: 'updated',
        column: 'a',
        bytes: 100,
        sha256: createHash('sha256').update('\x01'.repeat(100)).digest('hex'),
      },
    ]);
    expect(entryToJson(bounded).length).toBeLessThan(entryToJson(entry).length);
  });

  test('prints an entry on one line, whatever line ends its json has', async () => {
    const entry = await decode([{ name: 'v', type: JSON_TYPE }], {
      updated: encode(['{\n  "a": "x\\ny",\r\n  "b": 1\n}']),
      extra: '{"context":[\n1\r\n]}',
    });
    const line = entryToJson(entry);
    expect(line).not.toMatch(/[\r\n]/);
    expect(JSON.parse(line)).toMatchObject({ updated: { v: { a: 'x\ny', b: 1 } }, context: [1] });
  });

  test('shows stored extra data as text if it cannot be read', async () => {
    for (const extra of ['', '{', '\\x{c3}', '[1]', '{"context":{"a":}}', '{"context":1} x', 'null']) {
      const entry = await decode([], { extra });
      expect(JSON.parse(entryToJson(entry))).toMatchObject({ id: '1048577', context: extra });
    }
    const claimed = await decode([], { extra: '{"origin":7,"claimedCommitAt":"infinity"}' });
    expect(JSON.parse(entryToJson(claimed))).toMatchObject({
      context: null,
      transaction: { claimedCommitAt: 'infinity' },
    });
  });
});

describe('a stored value', () => {
  test.each([
    [BOOL, 't', 'true'],
    [BOOL, 'f', 'false'],
    [BOOL, '***', '"***"'],
    [INT8, '9223372036854775807', '9223372036854775807'],
    [INT8, '-1', '-1'],
    [NUMERIC, '0.10', '0.10'],
    [NUMERIC, 'NaN', '"NaN"'],
    [FLOAT8, 'Infinity', '"Infinity"'],
    [FLOAT8, '-Infinity', '"-Infinity"'],
    [FLOAT8, '1e+308', '1e+308'],
    [FLOAT8, '-0', '-0'],
    [INT8, '007', '"007"'],
    [INT8, '***', '"***"'],
    [INT8, '', '""'],
    [JSONB, '{"a": 1}', '{"a": 1}'],
    [JSON_TYPE, ' [1 , 2] ', ' [1 , 2] '],
    [JSONB, '{"a": 1', '"{\\"a\\": 1"'],
    [JSONB, '***', '"***"'],
    [TEXT, 't', '"t"'],
    [TEXT, '12', '"12"'],
    [TEXT, '\x1bN', 'null'],
    [TEXT, '\x1b[N', '"\\u001bN"'],
    [TEXT, '\x1bX00ff', '"\\\\x{00ff}"'],
    [0, '{1,2}', '"{1,2}"'],
  ])('of type %i and content %j is printed as %s', async (type, stored, json) => {
    const value = await oneValue(type, `${stored}\x1f`);
    expect(valueToJson(value)).toBe(json);
  });

  test('is printed by its column number, not lost, if the relation version is not known', async () => {
    const entry = await decode([], { updated: 'a\x1fb\x1f', columns: '!#' });
    expect([...entry.updated!]).toEqual([
      ['column 1', { kind: 'text', text: 'a' }],
      ['column 3', { kind: 'text', text: 'b' }],
    ]);
  });
});
