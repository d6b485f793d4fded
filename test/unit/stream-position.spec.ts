import { expect, test } from '@jest/globals';
import { silentLog } from '../../src/log.js';
import { UnknownTenants } from '../../src/pipeline/unknown-tenants.js';
import { UnreadMessages } from '../../src/pipeline/unread-messages.js';
import { LateAttributions } from '../../src/pipeline/late-attributions.js';
import { Pipeline } from '../../src/pipeline/pipeline.js';
import { NO_FACTS } from '../../src/pipeline/table-facts.js';
import { parseConfig } from '../../src/tracking/load.js';
import { RowTypes } from '../../src/tracking/row-types.js';
import { EntryRowBuffer } from '../../src/trail/write/rows.js';
import type { TrailSession } from '../../src/pipeline/ports.js';
import * as bytes from '../support/pgoutput-bytes.ts';

const CONFIG = parseConfig({
  file: 'place.yaml',
  environment: {},
  text: `
source: { name: place, url: "postgres://localhost/place", slot: place, publication: place }
trail: { url: "postgres://localhost/trail" }
tables: { public.t: { entity: thing }, public.u: { entity: thing } }`,
});

/**
 * A pipeline with a trail that answers when the test lets it, and a record of what it requests from the
 * source.
 */
function ground(aloneUntil: bigint | null) {
  const rows = new EntryRowBuffer({ nextId: 0n });
  const held: (() => Promise<void>)[] = [];
  const commits: bigint[] = [];
  let checkpointLsn = 0n;
  let endLsn = 0n;
  const trail = {
    rows,
    dictionary: {
      modifier: () => 0,
      action: () => 0,
      entityType: () => 0,
      tenant: () => 0,
      relation: () => 0,
      newestRelation: () => undefined,
      redactedColumns: () => new Map(),
    },
    lookups: { get: () => undefined, set: () => undefined, clear: () => undefined },
    get checkpointLsn() {
      return checkpointLsn;
    },
    get boundaryLsn() {
      return endLsn;
    },
    pendingBytes: 0,
    unsentBytes: 0,
    pendingEntries: 0,
    busy: false,
    get committable() {
      return endLsn > checkpointLsn;
    },
    boundary: (buffer: Buffer, at: number) => (endLsn = buffer.readBigUInt64BE(at)),
    commit: () => {
      commits.push(endLsn);
      checkpointLsn = endLsn;
      return Promise.resolve({ endLsn, entries: 1, committedAt: 0n });
    },
    spill: () => undefined,
    skipTo: () => Promise.resolve(),
    onDrain: () => undefined,
  } as unknown as TrailSession;
  const pipeline = new Pipeline({
    config: CONFIG,
    trail,
    source: {
      pause: () => undefined,
      resume: () => undefined,
      acknowledge: () => undefined,
      hold: (work) => void held.push(work),
    },
    aloneUntil,
    announced: () => false,
    reached: () => undefined,
    redactionKey: Buffer.from('key'),
    lookedIdentity: () => undefined,
    rewrittenStatement: () => '',
    rewrittenStored: () => undefined,
    tableFacts: () => ({ ...NO_FACTS, primaryKey: ['id'] }),
    unreadMessages: new UnreadMessages(silentLog),
    unknownTenants: new UnknownTenants(silentLog),
    systemIdentifier: '7000000000000000001',
    rowTypes: () => new RowTypes([]),
    areWitnessesSent: () => true,
    lateAttributions: new LateAttributions(),
    failed: (error) => {
      throw error;
    },
  });
  const send = (message: Buffer): void => pipeline.message(message, 0, message.length);
  return { pipeline, send, held, commits };
}

const relation = (oid: number, table: string): Buffer =>
  bytes.relation({
    oid,
    schema: 'public',
    table,
    identity: 'd',
    columns: [{ name: 'id', type: 23, key: true }],
  });

test('each transaction is stored alone up to the failed one, and then many together', async () => {
  const { pipeline, send, held, commits } = ground(150n);
  for (const lsn of [100n, 200n, 300n]) {
    send(bytes.begin({ lsn, at: 5n, xid: 7 }));
    send(bytes.commit({ lsn, endLsn: lsn + 8n, at: 5n }));
    await held.shift()?.();
  }
  expect(commits).toEqual([108n, 208n]);
  expect(pipeline.position).toMatchObject({ exact: false });
});

test('an unreadable row leads to its transaction and its table', async () => {
  const { pipeline, send, held } = ground(1_000n);
  send(bytes.begin({ lsn: 100n, at: 5n, xid: 7 }));
  send(relation(1, 't'));
  send(bytes.insert(1, ['1']));
  send(bytes.commit({ lsn: 100n, endLsn: 108n, at: 5n }));
  await held.shift()!();
  expect(pipeline.position).toMatchObject({ checkpointLsn: 108n, commitLsn: null, exact: false });
  send(bytes.begin({ lsn: 200n, at: 5n, xid: 8 }));
  send(relation(2, 'u'));
  const whole = bytes.insert(2, ['1']);
  expect(() => send(whole.subarray(0, whole.length - 1))).toThrow(
    expect.objectContaining({ code: 'PGOUTPUT_MALFORMED' }),
  );
  expect(pipeline.position).toEqual({
    checkpointLsn: 108n,
    commitLsn: 200n,
    exact: true,
    tables: ['public.u'],
  });
});
