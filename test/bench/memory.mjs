/**
 * Measures the peak memory of capture: for a backlog of small transactions, for one large transaction, and
 * for values of 10 kB.
 */
import { makeWindow, withGround, withSlot } from './ground.mjs';
import { medians, say } from './lib.mjs';
import { throughWaltrail } from './readers.mjs';

export const defaults = { changes: 1_000_000, toast: 60_000, runs: 1 };
const CHANGES_PER_DOCUMENT = 3;

export async function run({ changes, toast, runs }) {
  return withGround({ changes }, async (ground) => {
    await ground.source.query('call bench.make_bodies()');
    const results = [];
    for (const { load, check = () => undefined, ...size } of loads(ground, { changes, toast })) {
      const slot = `bench_${results.length}`;
      const window = await makeWindow(ground, { name: slot, ...size });
      say(`${load}: ${window.changes} changes, ${Math.round(window.walMb)} MB of WAL`);
      await check();
      const measured = [];
      for (let index = 0; index < runs; index++) {
        const figures = await withSlot(ground, { window, slot }, () =>
          throughWaltrail(ground, { window, slot }),
        );
        measured.push(figures);
        say(`  ${index + 1}/${runs}: ${figures.peakRssMb?.toFixed(0) ?? '-'} MB`);
      }
      results.push({ load, walMb: window.walMb, runs: measured });
      await window.drop();
    }
    return { versions: { postgres: ground.postgres }, rows: results.map(summary), runs: results };
  });
}

function loads(ground, { changes, toast }) {
  const documents = Math.max(1, Math.floor(toast / CHANGES_PER_DOCUMENT));
  const cases = [
    {
      load: 'backlog of small transactions',
      changes,
      statement: `call bench.small_transactions(${ground.customers}, ${changes})`,
    },
    { load: 'one transaction', changes, statement: `call bench.one_transaction(${changes})` },
  ];
  for (const isCompressed of [false, true]) {
    for (const perTransaction of [1, documents]) {
      const first = 1 + cases.length * documents;
      cases.push({
        load: `10 kB values${isCompressed ? ', compressible' : ''}, ${perTransaction === 1 ? 'small transactions' : 'one transaction'}`,
        changes: documents * CHANGES_PER_DOCUMENT,
        statement: `call bench.document_changes(${first}, ${documents}, ${perTransaction}, ${isCompressed})`,
        check: () => checkToast(ground, { first, documents, isCompressed }),
      });
    }
  }
  return cases;
}

/** Checks that the values are as described: stored outside the table (TOAST), and compressed or not. */
async function checkToast(ground, { first, documents, isCompressed }) {
  const { rows } = await ground.source.query(
    `select count(*)::int4 as found from public.documents
      where id between $1 and $2 and pg_column_toast_chunk_id(body) is not null
        and (pg_column_compression(body) is not null) = $3 and octet_length(body) = 10000`,
    [first, first + documents - 1, isCompressed],
  );
  if (rows[0].found !== documents)
    throw new Error(`${rows[0].found} of ${documents} values are stored as they should be`);
}

function summary({ load, walMb, runs }) {
  const middle = medians(runs);
  return {
    load,
    'changes read': middle.counted,
    'WAL MB': Math.round(walMb),
    'peak RSS MB': middle.peakRssMb,
    'changes/s': Math.round(middle.changesPerS),
    'reader CPU us/change': middle.readerCpuUs,
    'bytes/entry': middle.bytesPerEntry,
  };
}
