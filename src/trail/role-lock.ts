import type pg from 'pg';
import type { TrailRole } from './roles.js';

/**
 * An advisory lock of a session that counts only if the session's login may do what the lock is for. Every
 * login of a database may take every advisory lock, so a lock alone would let a mere reader stop the work of
 * others.
 */
export interface RoleLock {
  /** First key. Where a stranger holds it, the lock is one of the {@link SPARE_KEYS} keys above it. */
  readonly first: number;
  readonly second: number;
  /** Logins that may take this role count as holders. */
  readonly role: TrailRole;
  /** Logins that may insert into this table count too: the role may be missing. */
  readonly table: string;
}

/** A lock that was taken. `first` is the key that was free. */
export interface TakenLock {
  readonly first: number;
  readonly second: number;
}

/** More keys than the server has room for locks, so a stranger cannot hold all of them. */
const SPARE_KEYS = 0xffff;
const ATTEMPTS = 16;

/**
 * Returns the SQL of a list of rows (`pid`, `client_addr`, `backend_start`): the sessions that hold the lock
 * and may hold it.
 */
export function holdersSql({ first, second, role, table }: RoleLock): string {
  return /* sql */ `
    select a.pid, a.client_addr, a.backend_start
      from pg_catalog.pg_locks l
      join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
      join pg_catalog.pg_stat_activity a on a.pid = l.pid
      join pg_catalog.pg_roles login on login.oid = a.usesysid
      left join pg_catalog.pg_roles role on role.rolname = '${role}'
     where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
       and l.classid::int8 between ${first} and ${first + SPARE_KEYS}
       and l.objid::int8 = ${second >>> 0}
       and (pg_catalog.pg_has_role(login.oid, role.oid, 'member')
            or pg_catalog.has_table_privilege(login.oid, '${table}', 'insert'))`;
}

/**
 * Takes the lock until the session ends or {@link releaseLock} is called, unless somebody holds it who may
 * hold it. Never waits. The session must not be in a transaction, and its login has to be one that counts.
 */
export async function takeLock(client: pg.ClientBase, lock: RoleLock): Promise<TakenLock | undefined> {
  const { second } = lock;
  let { first } = lock;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { rows } = await client.query<{ taken: boolean }>(
      /* sql */ `select pg_catalog.pg_try_advisory_lock($1::int4, $2::int4) as taken`,
      [first, second],
    );
    const isTaken = rows[0]!.taken;
    // After the attempt: of two sessions that take different keys at once, the later one sees the other.
    if (await isHeldByOthers(client, lock)) {
      if (isTaken) await releaseLock(client, { first, second });
      return undefined;
    }
    if (isTaken) return { first, second };
    first = lock.first + 1 + Math.floor(Math.random() * SPARE_KEYS);
  }
  return undefined;
}

export async function releaseLock(client: pg.ClientBase, { first, second }: TakenLock): Promise<void> {
  await client.query(/* sql */ `select pg_catalog.pg_advisory_unlock($1::int4, $2::int4)`, [first, second]);
}

async function isHeldByOthers(client: pg.ClientBase, lock: RoleLock): Promise<boolean> {
  const { rowCount } = await client.query(
    /* sql */ `select from (${holdersSql(lock)}) holder where holder.pid <> pg_catalog.pg_backend_pid()`,
  );
  return rowCount! > 0;
}
