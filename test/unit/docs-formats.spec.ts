import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { viewOf } from '../../src/pg/byte-loops.js';
import {
  FIRST_COLUMN,
  MARK_NULL,
  OPERATION_UPDATE,
  RUNG_COLUMN,
  SAME_TENANT,
} from '../../src/pipeline/ports.js';
import { blockOfChunk, chunkOf, entryId, placeOf } from '../../src/trail/entry-id.js';
import { bucketOf, entityHash, Places, POSTING_DIMENSIONS } from '../../src/trail/posting-lists.js';
import { ChunkIndex } from '../../src/trail/write/chunk-index.js';
import { ENTRY_COLUMNS } from '../../src/trail/write/row-layout.js';
import { EntryRowBuffer } from '../../src/trail/write/rows.js';

const read = (file: string): string =>
  readFileSync(path.resolve(import.meta.dirname, '../../docs/internals', file), 'utf8');
const FORMATS = read('formats.md');
const FINDING = read('finding-entries.md');

/** The bytes of a block of hexadecimal digits, without the block's comments. */
function bytesOf(name: string): string {
  const block = new RegExp('^```hex ' + name + '\\n([^]*?)^```$', 'm').exec(FORMATS);
  if (block === null) throw new Error(`no block "${name}"`);
  return block[1]!.replace(/#.*$/gm, '').replace(/\s/g, '');
}

/** The cells of the table that begins with these headers, by row. */
function tableOf(text: string, headers: readonly string[]): string[][] {
  const [, rest] = text.split(`| ${headers.join(' | ')} |\n`);
  if (rest === undefined) throw new Error(`no table ${headers.join(', ')}`);
  const lines = rest.split('\n');
  return lines.slice(1, lines.indexOf('')).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** The first word of each cell: the number of the thing that the cell names. */
const numbers = (cells: readonly string[]): number[] => cells.map((cell) => Number(cell.split(' ')[0]));

const DAY = 327;
const NUMBER = 41;

test('the id of the example has its day and number, and the right chunk, place and block', () => {
  const values = tableOf(FORMATS, ['Example', 'Value']).map(([, value]) => value);
  const chunk = chunkOf(DAY, NUMBER);
  expect(values).toEqual([
    `id ${entryId(DAY, NUMBER)}`,
    `${chunk}, ${placeOf(NUMBER)}`,
    String(blockOfChunk(chunk)),
  ]);
});

test('the row of the example is the row that the writer sends', () => {
  const rows = new EntryRowBuffer({ nextId: entryId(DAY, NUMBER) });
  const transaction = Buffer.alloc(20);
  transaction.writeBigUInt64BE(0x16b3748n, 0);
  transaction.writeBigInt64BE(
    BigInt(Date.UTC(2026, 10, 24, 9, 51, 7, 123) - Date.UTC(2000, 0, 1)) * 1000n + 456n,
    8,
  );
  transaction.writeUInt32BE(812, 16);
  const text = (write: () => void): void => {
    rows.beginText();
    write();
    rows.endText();
  };
  const value = (text: string): void => rows.value(Buffer.from(text), 0, Buffer.byteLength(text));
  const raw = (text: string): void => rows.raw(Buffer.from(text), 0, Buffer.byteLength(text));
  rows.transaction(transaction, 0);
  rows.head({
    seq: 0,
    modifierId: 4,
    relationId: 5,
    tenantId: 1,
    entityTypeId: 1,
    actionId: 6,
    operation: OPERATION_UPDATE,
    rung: RUNG_COLUMN,
    moved: false,
  });
  text(() => raw('2'));
  text(() => raw('Omer Katz'));
  text(() => raw(String.fromCodePoint(FIRST_COLUMN + 2, FIRST_COLUMN + 3)));
  text(() => {
    value('f');
    rows.mark(MARK_NULL);
  });
  text(() => {
    value('t');
    value('fraud\x1b1m');
  });
  rows.nullText();
  // After the header of its CopyData frame.
  expect(rows.take(rows.bytes, 1)!.toString('hex').slice(10)).toBe(bytesOf('row'));
});

test('the columns of the row are those that the writer sends, in the same order', () => {
  const columns = tableOf(FORMATS, ['Column', 'Type', 'Holds']).map(([name]) => name!.replaceAll('`', ''));
  expect(columns).toEqual(ENTRY_COLUMNS);
});

describe('the chunk of eight entries', () => {
  const entries = tableOf(FINDING, ['place', 'modifier', 'action', 'entity type', 'tenant', 'entity id']).map(
    (cells) => {
      const [place, modifierId, actionId, entityTypeId, tenantId] = numbers(cells);
      return { place: place!, modifierId, actionId, entityTypeId, tenantId, entityId: cells[5]! } as Record<
        'place' | 'modifierId' | 'actionId' | 'entityTypeId' | 'tenantId',
        number
      > & { readonly entityId: string };
    },
  );

  const hashOf = (entityId: string): number => {
    const bytes = Buffer.from(entityId);
    return entityHash(viewOf(bytes), 0, bytes.length);
  };

  /** The fields of the rows of `trail.posting` and `trail.chunk`. */
  function indexed(): { readonly postings: Map<string, Buffer>; readonly chunk: readonly Buffer[] } {
    const index = new ChunkIndex();
    for (const { place, entityId, ...keys } of entries)
      index.add({
        ...keys,
        id: entryId(DAY, place),
        committedAt: 1n,
        entityHash: hashOf(entityId),
        previousTenantId: SAME_TENANT,
        previousEntityHash: null,
      });
    index.add({
      ...{
        id: entryId(DAY + 1, 0),
        committedAt: 1n,
        modifierId: 0,
        entityTypeId: 1,
        actionId: 1,
        tenantId: 0,
      },
      ...{ entityHash: null, previousTenantId: SAME_TENANT, previousEntityHash: null },
    });
    const [postings, chunks] = index.takeComplete();
    const lists = new Map(
      postings!.frames
        .flatMap(fieldsOf)
        .map(([dimension, bucket, , bytes]) => [`${dimension!.toString()} ${bucket!.readInt16BE()}`, bytes!]),
    );
    return { postings: lists, chunk: chunks!.frames.flatMap(fieldsOf)[0]! };
  }

  test('has the posting lists of its table, and no others', () => {
    const { postings } = indexed();
    const listed = tableOf(FINDING, ['dimension', 'key', 'places']).map(([dimension, key, places]) => {
      const number = dimension === POSTING_DIMENSIONS.entity ? hashOf(key!) : Number(key);
      const found = new Places();
      found.addLists(postings.get(`${dimension} ${bucketOf(number)}`)!, new Set([number]));
      expect([dimension, key, found.list()]).toEqual([dimension, key, places!.split(' ').map(Number)]);
      return `${dimension} ${bucketOf(number)}`;
    });
    expect(new Set(listed)).toEqual(new Set(postings.keys()));
  });

  test.each(['m 4', 'a 6', 'e 177'])('has the bytes of the row %s', (row) => {
    expect(indexed().postings.get(row)!.toString('hex')).toBe(bytesOf(row));
  });

  test('has the summary of its table', () => {
    const { chunk } = indexed();
    const texts = [
      String(chunk[0]!.readInt32BE()),
      String(chunk[1]!.readInt32BE()),
      ...chunk.slice(4).map((array) => `{${int4sOf(array).join(',')}}`),
    ];
    const values = tableOf(FORMATS, ['Column', 'Value']).map(([, value]) => value);
    expect([...values.slice(0, 2), ...values.slice(3)]).toEqual(texts);
  });

  test('gives the answers of the document to the query and to the count', () => {
    const { postings } = indexed();
    const places = (row: string, key: number): Places => {
      const found = new Places();
      found.addLists(postings.get(row)!, new Set([key]));
      return found;
    };
    const both = places('m 4', 4);
    both.intersect(places('a 6', 6));
    const counts: [number, number][] = [];
    for (const bucket of [1, 2])
      both.countIn(postings.get(`t ${bucket}`)!, (key, count) => counts.push([key, count]));
    const [, counted] = FINDING.split('## A facet count');
    const told = [...counted!.matchAll(/list t (\d+) .*→ \w+ (\d+)$/gm)].map(([, key, count]) => [
      Number(key),
      Number(count),
    ]);
    expect(counts).toEqual(told);
    const [found] = [...counted!.matchAll(/^ found +([\d ]+)$/gm)].map(([, list]) => list);
    expect(both.list()).toEqual(found!.trim().split(' ').map(Number));
  });
});

/** The fields of the rows of a binary COPY in a frame. */
function fieldsOf(frame: Buffer): Buffer[][] {
  const rows: Buffer[][] = [];
  for (let at = 5; at < frame.length;) {
    const count = frame.readInt16BE(at);
    at += 2;
    const row: Buffer[] = [];
    for (let field = 0; field < count; field++) {
      const length = frame.readInt32BE(at);
      row.push(frame.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    rows.push(row);
  }
  return rows;
}

/** The elements of an int4[] in binary form: after 20 bytes of header, each follows its length. */
const int4sOf = (array: Buffer): number[] =>
  Array.from({ length: (array.length - 20) / 8 }, (_, index) => array.readInt32BE(24 + 8 * index));
