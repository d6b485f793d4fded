import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { silentLog } from '../../src/log.js';
import { LateAttributions } from '../../src/pipeline/late-attributions.js';
import { Pipeline } from '../../src/pipeline/pipeline.js';
import { NO_FACTS } from '../../src/pipeline/table-facts.js';
import type { Dictionary, TrailSession } from '../../src/pipeline/ports.js';
import { UnknownTenants } from '../../src/pipeline/unknown-tenants.js';
import { UnreadMessages } from '../../src/pipeline/unread-messages.js';
import { FrameReader } from '../../src/source/frames.js';
import { parseConfig } from '../../src/tracking/load.js';
import { RowTypes } from '../../src/tracking/row-types.js';
import { EntryRowBuffer } from '../../src/trail/write/rows.js';
import { decodeColumns, decodeFields, type StoredValue } from '../../src/trail/values.js';
import * as bytes from '../support/pgoutput-bytes.ts';
import { UNCHANGED, type Column } from '../support/pgoutput-bytes.ts';

/** How the YAML treats a column. */
type Treatment = 'plain' | 'ignore' | 'mask' | 'drop';

type Change =
  | { readonly is: 'insert'; readonly row: readonly Column[] }
  | {
      readonly is: 'update';
      readonly old: readonly Column[];
      readonly sent: 'O' | 'K' | 'none';
      readonly row: readonly Column[];
    }
  | { readonly is: 'delete'; readonly old: readonly Column[]; readonly sent: 'O' | 'K' };

/** An entry in plain form. A side (previous, updated) has its values by column name. */
interface PlainEntry {
  readonly seq: number;
  readonly operation: string;
  readonly previous: Readonly<Record<string, StoredValue>> | null;
  readonly updated: Readonly<Record<string, StoredValue>> | null;
}

const OID = 16_384;
const nameOf = (index: number): string => `c${index}`;
const KEY = 0;

// ---------------------------------------------------------------- the naive model

const UNKNOWN: StoredValue = { is: 'unknown' };

function stored(column: Column, treatment: Treatment): StoredValue {
  if (column === null) return { is: 'null' };
  if (typeof column !== 'string') return UNKNOWN;
  if (treatment === 'mask') return { is: 'text', text: '***' };
  // A text of PostgreSQL never contains NUL.
  return column.includes('\0')
    ? { is: 'bytes', text: Buffer.from(column).toString('hex') }
    : { is: 'text', text: column };
}

/** The entry of one change; null if nothing of interest changed. */
function modelOf(change: Change, treatments: readonly Treatment[], seq: number): PlainEntry | null {
  const side = (
    wanted: readonly number[],
    value: (index: number) => StoredValue,
  ): Record<string, StoredValue> =>
    Object.fromEntries(
      wanted.filter((index) => treatments[index] !== 'drop').map((index) => [nameOf(index), value(index)]),
    );
  const all = treatments.map((_, index) => index);
  const before = (index: number): StoredValue => {
    if (change.is === 'insert' || (change.is === 'update' && change.sent === 'none')) return UNKNOWN;
    return change.sent === 'K' && index !== KEY ? UNKNOWN : stored(change.old[index]!, treatments[index]!);
  };
  if (change.is === 'delete') return { seq, operation: 'd', previous: side(all, before), updated: null };
  const after = (index: number): StoredValue => stored(change.row[index]!, treatments[index]!);
  if (change.is === 'insert') return { seq, operation: 'i', previous: null, updated: side(all, after) };
  const isKnown = (index: number): boolean => change.sent === 'O' || (change.sent === 'K' && index === KEY);
  const changed = all.filter(
    (index) =>
      treatments[index] !== 'ignore' &&
      change.row[index] !== UNCHANGED &&
      // If no old row is sent, the key has not changed.
      !(change.sent === 'none' && index === KEY) &&
      (!isKnown(index) || change.row[index] !== change.old[index]),
  );
  if (changed.length === 0) return null;
  return { seq, operation: 'u', previous: side(changed, before), updated: side(changed, after) };
}

// ---------------------------------------------------------------- the real code

function entriesOf(options: {
  readonly treatments: readonly Treatment[];
  readonly changes: readonly Change[];
  readonly cuts: readonly number[];
}): PlainEntry[] {
  const { treatments } = options;
  const rows = new EntryRowBuffer({ nextId: 0n });
  const pipeline = new Pipeline({
    config: configOf(treatments),
    trail: trailOf(rows),
    source: {
      pause: () => undefined,
      resume: () => undefined,
      acknowledge: () => undefined,
      hold: () => undefined,
    },
    aloneUntil: null,
    announced: () => false,
    reached: () => undefined,
    redactionKey: Buffer.from('key'),
    lookedIdentity: () => undefined,
    rewrittenStatement: () => '',
    rewrittenStored: () => undefined,
    tableFacts: () => ({
      ...NO_FACTS,
      knownAs: { schema: 'public', table: 'items' },
      primaryKey: [nameOf(KEY)],
      attributes: treatments.map((_, index) => ({
        number: index + 1,
        name: nameOf(index),
        dropped: false,
        generated: null,
        xid: null,
      })),
    }),
    systemIdentifier: '7000000000000000001',
    rowTypes: () => new RowTypes([]),
    areWitnessesSent: () => true,
    lateAttributions: new LateAttributions(),
    unreadMessages: new UnreadMessages(silentLog),
    unknownTenants: new UnknownTenants(silentLog),
    failed: (error) => {
      throw error;
    },
  });
  const frames = new FrameReader((_, buffer, start, end) => pipeline.message(buffer, start, end));
  const stream = Buffer.concat(messagesOf(treatments, options.changes).map(frame));
  for (let at = 0, cut = 0; at < stream.length; cut++) {
    const size = options.cuts[cut % options.cuts.length]!;
    frames.push(stream.subarray(at, at + size));
    at += size;
  }
  return readRows(rows.take(rows.bytes, rows.entries), treatments.length);
}

function configOf(treatments: readonly Treatment[]) {
  const named = (wanted: Treatment): string =>
    treatments.flatMap((treatment, index) => (treatment === wanted ? [nameOf(index)] : [])).join(', ');
  const redact = (['mask', 'drop'] as const).filter((method) => named(method) !== '');
  return parseConfig({
    file: 'model.yaml',
    environment: {},
    text: `
source: { name: model, url: "postgres://localhost/model", slot: model, publication: model }
trail: { url: "postgres://localhost/trail" }
redact: [${redact.map((method) => `{ columns: [${named(method)}], with: ${method} }`).join(', ')}]
tables: { public.t: { entity: thing, ignore: [${named('ignore')}] } }`,
  });
}

const messagesOf = (treatments: readonly Treatment[], changes: readonly Change[]): Buffer[] => [
  bytes.begin({ lsn: 100n, at: 5n, xid: 7 }),
  bytes.relation({
    oid: OID,
    schema: 'public',
    table: 't',
    identity: 'f',
    columns: treatments.map((_, index) => ({ name: nameOf(index), type: 25, key: index === KEY })),
  }),
  ...changes.map(messageOf),
  bytes.commit({ lsn: 100n, endLsn: 120n, at: 5n }),
];

function messageOf(change: Change): Buffer {
  // PostgreSQL sends null for all other columns if it sends only the key.
  const old = (sent: 'O' | 'K', row: readonly Column[]): readonly Column[] =>
    sent === 'O' ? row : row.map((column, index) => (index === KEY ? column : null));
  switch (change.is) {
    case 'insert':
      return bytes.insert(OID, change.row);
    case 'delete':
      return bytes.remove(OID, old(change.sent, change.old), change.sent);
    case 'update':
      return change.sent === 'none'
        ? bytes.update(OID, { row: change.row })
        : bytes.update(OID, { old: old(change.sent, change.old), kind: change.sent, row: change.row });
  }
}

const frame = (message: Buffer): Buffer => {
  const header = Buffer.alloc(5);
  header[0] = 0x64;
  header.writeInt32BE(message.length + 4, 1);
  return Buffer.concat([header, message]);
};

/** A trail that accepts nothing: the rows stay in their buffer. */
function trailOf(rows: EntryRowBuffer): TrailSession {
  const dictionary: Dictionary = {
    modifier: () => 1,
    action: () => 1,
    entityType: () => 1,
    tenant: () => 1,
    relation: () => 1,
    relationOfType: () => 1,
    newestRelation: () => undefined,
    seenTables: () => [],
    redactedColumns: () => new Map(),
  };
  const never = (): Promise<never> => Promise.reject(new Error('nothing is committed here'));
  return {
    lastCommittedAt: null,
    checkpointLsn: 0n,
    boundaryLsn: 0n,
    rows,
    dictionary,
    lookups: { get: () => undefined, hasTenants: () => false, set: () => undefined, clear: () => undefined },
    pendingBytes: 0,
    unsentBytes: 0,
    pendingEntries: 0,
    busy: true,
    committable: false,
    boundary: () => undefined,
    between: () => undefined,
    spill: () => undefined,
    commit: never,
    skipTo: never,
    onDrain: () => undefined,
  };
}

/** The rows of a CopyData frame of binary COPY, as PostgreSQL reads them. */
function readRows(copied: Buffer | null, columnCount: number): PlainEntry[] {
  const entries: PlainEntry[] = [];
  for (let at = 5; copied !== null && at < copied.length;) {
    const fields: (Buffer | null)[] = [];
    const count = copied.readInt16BE(at);
    at += 2;
    for (let field = 0; field < count; field++) {
      const length = copied.readInt32BE(at);
      at += 4;
      fields.push(length < 0 ? null : copied.subarray(at, at + length));
      at += Math.max(0, length);
    }
    const columns = decodeColumns(fields[17]?.toString() ?? null, columnCount);
    const side = (field: Buffer | null | undefined): Record<string, StoredValue> | null => {
      if (field == null) return null;
      const values = decodeFields(field.toString());
      expect(values).toHaveLength(columns.length);
      return Object.fromEntries(values.map((value, index) => [nameOf(columns[index]!), value]));
    };
    entries.push({
      seq: fields[3]!.readInt32BE(),
      operation: fields[10]!.toString(),
      previous: side(fields[18]),
      updated: side(fields[19]),
    });
  }
  return entries;
}

// ---------------------------------------------------------------- random changes

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('', 'a', 'b', '***', '1') },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  {
    weight: 2,
    arbitrary: fc.string({
      unit: fc.constantFrom('\x1b', '\x1f', '[', '_', 'N', 'U', 'X', 'L', 'é'),
      maxLength: 10,
    }),
  },
  // Lengths near those at which the code changes its way to compare and copy.
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 55, max: 300 }), fc.constantFrom('', '\x1f', 'x'))
      .map(([length, end]) => 'y'.repeat(length) + end),
  },
);
const value: fc.Arbitrary<Column> = fc.oneof(
  { weight: 5, arbitrary: text },
  { weight: 1, arbitrary: fc.constant(null) },
);

const scenario = fc
  .array(fc.constantFrom<Treatment>('plain', 'plain', 'ignore', 'mask', 'drop'), {
    minLength: 1,
    maxLength: 7,
  })
  .chain((treatments) => {
    const whole = fc
      .tuple(text, ...treatments.slice(1).map(() => value))
      .map((row): readonly Column[] => row);
    // Most columns of an update do not change.
    const update = whole.chain((old) =>
      fc.record({
        is: fc.constant('update' as const),
        old: fc.constant(old),
        sent: fc.constantFrom('O' as const, 'O' as const, 'K' as const, 'none' as const),
        row: fc.tuple(
          ...old.map((column) =>
            fc.oneof(
              { weight: 3, arbitrary: fc.constant(column) },
              { weight: 2, arbitrary: value },
              { weight: 1, arbitrary: fc.constant(UNCHANGED) },
            ),
          ),
        ),
      }),
    );
    const change: fc.Arbitrary<Change> = fc.oneof(
      fc.record({ is: fc.constant('insert' as const), row: whole }),
      { weight: 3, arbitrary: update },
      fc.record({
        is: fc.constant('delete' as const),
        old: whole,
        sent: fc.constantFrom('O' as const, 'K' as const),
      }),
    );
    return fc.record({
      treatments: fc.constant(treatments),
      changes: fc.array(change, { maxLength: 12 }),
      cuts: fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 }),
    });
  });

test('entries equal the naive difference of the rows, for any values, rules and cuts of the stream', () => {
  let compared = 0;
  fc.assert(
    fc.property(scenario, (of) => {
      const expected = of.changes.flatMap((change, seq) => modelOf(change, of.treatments, seq) ?? []);
      expect(entriesOf(of)).toEqual(expected);
      compared += expected.length;
    }),
    { numRuns: 600 },
  );
  expect(compared).toBeGreaterThan(500);
});
