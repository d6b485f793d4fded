import { randomBytes } from 'node:crypto';
import type pg from 'pg';

/**
 * Tells whether two connections lead to one database of one server, whatever host names, ports and poolers
 * are between: a lock that one of them takes is seen by the other. Needs no right, and is not misled by a
 * copy of a server, which has the same system identifier and the same oids. The key of the lock is random, so
 * it is nobody else's. Both connections must be in no transaction.
 */
export async function isSameDatabase(one: pg.ClientBase, other: pg.ClientBase): Promise<boolean> {
  const key = randomBytes(8).readBigInt64BE();
  // For the transaction only: a lock of the session could be left behind in a pooler.
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
