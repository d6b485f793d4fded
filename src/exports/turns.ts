import type pg from 'pg';
import { releaseLock, takeLock, type TakenLock } from '../trail/role-lock.js';

/** An export whose turn it is. Until it is released, no other export of its token runs. */
export interface ExportTurn {
  readonly id: string;
  readonly tokenId: string;
  /** Never rejects. */
  release(): Promise<void>;
}

/** First key of the locks of {@link ExportTurns}: "WTex". */
const LOCK_CLASS = 0x57546578;
/** Longest pause after a failed run. The pause doubles with each attempt: 2 s, 4 s and so on. */
const LONGEST_PAUSE_SECONDS = 60;

/**
 * Chooses which export runs next. The exports of one token run one after another. Between two of them, every
 * other waiting token has a turn. While an admin waits, every other turn is an admin's. A session lock by
 * token shows that a run is active. If its worker ends, the lock is released, and the export is taken over.
 */
export class ExportTurns {
  readonly #pool: pg.Pool;

  /** Creates an object that takes a connection of the pool for each run, for as long as the run lasts. */
  constructor(options: { readonly pool: pg.Pool }) {
    this.#pool = options.pool;
  }

  /**
   * Returns the export whose turn it is; `wait`: there are unfinished ones, but none may begin now; `none`:
   * there are none. With `adminsOnly`, only exports of admins have a turn.
   */
  async next({ adminsOnly }: { readonly adminsOnly: boolean }): Promise<ExportTurn | 'wait' | 'none'> {
    const client = await this.#pool.connect();
    // The run finds out about a lost connection on its own. Here, it only ends the lock.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    const giveBack = (broken?: Error): void => {
      client.off('error', ignore);
      client.release(broken);
    };
    try {
      for (const { id, tokenId, mayBegin } of await waiting(client)) {
        if (!mayBegin || (adminsOnly && !(await isOfAdmin(client, id)))) continue;
        const taken = await lock(client, tokenId);
        if (taken === undefined) continue;
        if (await isUnfinished(client, id))
          return { id, tokenId, release: () => releaseLock(client, taken).then(() => giveBack(), giveBack) };
        // Another worker has just finished it, because the list is older than the lock.
        await releaseLock(client, taken);
      }
      const isAny = (await waiting(client)).length > 0;
      giveBack();
      return isAny ? 'wait' : 'none';
    } catch (error) {
      giveBack(error as Error);
      throw error;
    }
  }
}

interface Candidate {
  readonly id: string;
  readonly tokenId: string;
  /** False during the pause after a failed run. */
  readonly mayBegin: boolean;
}

/** Reads the unfinished exports in the order of their turns. */
async function waiting(client: pg.ClientBase): Promise<Candidate[]> {
  const { rows } = await client.query<Candidate>(
    /* sql */ `with last as (
                 select token_id from trail.export where started_at is not null order by started_at desc limit 1
               ), unfinished as (
                 select export.*, coalesce(token.role = 'admin', false) as of_admin
                   from trail.export left join trail.token on token.id = export.token_id
                  where state in ('queued', 'running')
               )
               select id, token_id as "tokenId",
                      attempts = 0 or state = 'running'
                        or started_at < clock_timestamp() - make_interval(secs => least(power(2, attempts), $1)) as "mayBegin"
                 from unfinished
                order by (of_admin and not exists (select from last join trail.token on token.id = last.token_id
                                                    where token.role = 'admin')) desc,
                         (select max(started_at) from trail.export served where served.token_id = unfinished.token_id) nulls first,
                         created_at, id`,
    [LONGEST_PAUSE_SECONDS],
  );
  return rows;
}

async function isOfAdmin(client: pg.ClientBase, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    /* sql */ `select from trail.export join trail.token on token.id = export.token_id
                where export.id = $1 and token.role = 'admin'`,
    [id],
  );
  return rowCount === 1;
}

async function isUnfinished(client: pg.ClientBase, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    /* sql */ `select from trail.export where id = $1 and state in ('queued', 'running')`,
    [id],
  );
  return rowCount === 1;
}

async function lock(client: pg.ClientBase, tokenId: string): Promise<TakenLock | undefined> {
  const { rows } = await client.query<{ key: number }>(/* sql */ `select hashtext($1) as key`, [tokenId]);
  return takeLock(client, {
    first: LOCK_CLASS,
    second: rows[0]!.key,
    role: 'waltrail_api',
    table: 'trail.export',
  });
}
