/**
 * Decodes recorded messages several times and measures the last pass, because a daemon runs for weeks and its
 * code is compiled within the first second. Order: { file, how, yaml, names }. The file holds messages, each
 * after its length (4 bytes). Reports { cpuS, seconds, changes, bytes }; reading the file is not included.
 */
import { readFileSync } from 'node:fs';
import { PgoutputPlugin } from 'pg-logical-replication';
import { silentLog } from '../../../dist/log.js';
import { LateAttributions } from '../../../dist/pipeline/late-attributions.js';
import { heldLookups } from '../../../dist/tracking/lookups.js';
import { Pipeline } from '../../../dist/pipeline/pipeline.js';
import { NO_FACTS } from '../../../dist/pipeline/table-facts.js';
import { UnknownTenants } from '../../../dist/pipeline/unknown-tenants.js';
import { UnreadMessages } from '../../../dist/pipeline/unread-messages.js';
import { parseConfig } from '../../../dist/tracking/load.js';
import { RowTypes } from '../../../dist/tracking/row-types.js';
import { memoryTrail } from './memory-trail.mjs';

/** Number of bytes that one read of the socket returns. */
const READ_BYTES = 65_536;
/** From the fifth pass on, passes of 300,000 changes take the same time, including those of the peer. */
const WARM_UP_PASSES = 4;

process.once('message', (order) => void measure(order).catch(fail));
process.on('disconnect', () => process.exit(0));

async function measure(order) {
  const bytes = readFileSync(order.file);
  for (let pass = 0; pass < WARM_UP_PASSES; pass++) await decode(order, bytes);
  process.send(await decode(order, bytes));
}

async function decode(order, bytes) {
  const decoder = order.how === 'waltrail' ? await throughWaltrail(order) : throughParser(order);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let at = 0;
  while (at < bytes.length) {
    const readEnd = at + READ_BYTES;
    while (at < bytes.length && at < readEnd) {
      const end = at + 4 + bytes.readUInt32BE(at);
      decoder.message(bytes, at + 4, end);
      at = end;
    }
    decoder.readDone();
    // Here the stream would wait for the next read, and promises settle.
    await new Promise(setImmediate);
  }
  const { changes, out } = await decoder.finish();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { cpuS: (user + system) / 1e6, seconds, changes, bytes: out };
}

async function throughWaltrail({ yaml, names }) {
  const config = parseConfig({ text: yaml, file: 'bench.yaml', environment: {} });
  const trail = await memoryTrail({ held: heldLookups(config), names });
  const pipeline = new Pipeline({
    config,
    trail,
    source: {
      pause: () => undefined,
      resume: () => undefined,
      acknowledge: () => undefined,
      hold: () => undefined,
    },
    aloneUntil: null,
    announced: () => false,
    reached: () => undefined,
    redactionKey: Buffer.from('bench'),
    lookedIdentity: () => undefined,
    rewrittenStatement: () => '',
    rewrittenStored: () => undefined,
    tableFacts: () => ({
      ...NO_FACTS,
      knownAs: { schema: 'public', table: 'customers' },
      primaryKey: ['id'],
    }),
    systemIdentifier: '7000000000000000001',
    rowTypes: () => new RowTypes([]),
    areWitnessesSent: () => true,
    lateAttributions: new LateAttributions(),
    unreadMessages: new UnreadMessages(silentLog),
    unknownTenants: new UnknownTenants(silentLog),
    failed: fail,
  });
  return {
    message: (bytes, start, end) => pipeline.message(bytes, start, end),
    readDone: () => pipeline.readDone(),
    finish: async () => {
      await pipeline.finish({ patient: true });
      return { changes: pipeline.counts.changes, out: trail.storedBytes };
    },
  };
}

function throughParser({ how, names }) {
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: ['none'] });
  const isSame = how === 'parser and JSON diff' ? sameJson : same;
  const modifiers = new Map(names.map(({ key, name }) => [Number(key), name]));
  let transaction;
  let seq = 0;
  let changes = 0;
  let out = 0;
  return {
    message: (bytes, start, end) => {
      const message = plugin.parse(bytes.subarray(start, end));
      const { tag } = message;
      if (tag === 'begin') {
        transaction = { ...message, commitTime: String(message.commitTime) };
        seq = 0;
      }
      if (tag !== 'insert' && tag !== 'update' && tag !== 'delete') return;
      changes++;
      if (how === 'parser') return;
      out += JSON.stringify(auditRecord(message, { transaction, seq: seq++, modifiers, isSame })).length;
    },
    readDone: () => undefined,
    finish: async () => ({ changes, out }),
  };
}

const IGNORED = new Set(['updated_at', 'updated_by']);
const ACTIONS = { insert: 'add', update: 'edit', delete: 'delete' };

/**
 * Writes what a simple audit trail would make of parsed rows. It contains the same as Waltrail's entry, with
 * the values of changed columns before and after.
 */
function auditRecord({ tag, relation, old, new: updated }, { transaction, seq, modifiers, isSame }) {
  const before = {};
  const after = {};
  for (const { name } of relation.columns) {
    if (tag !== 'update') {
      (tag === 'insert' ? after : before)[name] = (updated ?? old)[name];
    } else if (!IGNORED.has(name) && !isSame(old[name], updated[name])) {
      before[name] = old[name];
      after[name] = updated[name];
    }
  }
  const row = updated ?? old;
  return {
    commitLsn: transaction.commitLsn,
    seq,
    xid: transaction.xid,
    committedAt: transaction.commitTime,
    modifier: tag === 'delete' ? null : (modifiers.get(row.updated_by) ?? row.updated_by),
    action: ACTIONS[tag],
    entity: { type: relation.name, id: row.id, name: row.name ?? row.subject ?? row.key },
    tenant: row.organization_id ?? null,
    table: relation.name,
    operation: tag,
    before,
    after,
  };
}

/** Compares as text only if necessary: dates and json columns are objects. */
function same(a, b) {
  if (a === b) return true;
  return typeof a === 'object' && typeof b === 'object' && sameJson(a, b);
}

function sameJson(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

function fail(error) {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}
