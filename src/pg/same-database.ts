import { randomBytes } from 'node:crypto';
import type pg from 'pg';

/**
 * Tells whether two connections lead to the same database of the same server, whatever host names, ports and
 * poolers they use. One of them takes a lock, and the other looks for it. This needs no right. A copy of a
 * server has the same system identifier and oids, but does not see the lock. The key of the lock is random,
 * so no one else uses it. Neither connection may be in a transaction.
 */
export async function isSameDatabase(one: pg.ClientBase, other: pg.ClientBase): Promise<boolean> {
  const key = randomBytes(8).readBigInt64BE();
  // The lock lasts for the transaction only. A lock of the session could stay in a session of a pooler.
  await one.query('begin');
  try {
    await one.query(/* sql */ `select pg_catalog.pg_advisory_xact_lock($1::int8)`, [String(key)]);
    // pg_locks has the high half of the key in classid, the low one in objid.
    const { rows } = await other.query<{ seen: boolean }>(
      /* sql */ `select exists (
                   select from pg_catalog.pg_locks l
                     join pg_catalog.pg_database d on d.oid = l.database
                    where d.datname = pg_catalog.current_database() and l.locktype = 'advisory' and l.objsubid = 1
                      and l.classid = $1::int8::oid and l.objid = $2::int8::oid) as seen`,
      [String(BigInt.asUintN(32, key >> 32n)), String(BigInt.asUintN(32, key))],
    );
    return rows[0]!.seen;
  } finally {
    await one.query('rollback').catch(() => undefined);
  }
}
