import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import pg from 'pg';
import { apiGround } from '../support/api.ts';
import { until } from '../support/until.ts';

/** How many threads of this process have a lower priority (proc_pid_stat(5), field 19). */
function givingWay(): number {
  return readdirSync('/proc/self/task').filter((task) => {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]) > getPriority();
  }).length;
}

(process.platform === 'linux' ? test : test.skip)(
  'the first export of a token in a while begins with normal priority, the next one with a lower priority',
  async () => {
    await using ground = await apiGround({ roles: ['api', 'exports'] });
    await ground.add();
    const admin = await ground.token();
    const own = givingWay();
    const seen: number[] = [];
    for (let n = 0; n < 2; n++) {
      const client = new pg.Client({ connectionString: ground.trail.url });
      await client.connect();
      try {
        await client.query('begin; lock table trail.entry in access exclusive mode');
        const asked = await ground.get('/v1/exports', admin, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"format":"csv"}',
        });
        const { id } = (await asked.json()) as { id: string };
        await until(
          'the run to read entries',
          async () =>
            (
              await ground.trail.query(
                `select from pg_stat_activity where datname = current_database()
                    and application_name = 'waltrail export' and wait_event_type = 'Lock'`,
              )
            ).length > 0,
          20_000,
        );
        seen.push(givingWay() - own);
        await client.query('rollback');
        await until(
          'the file',
          async () => {
            const export_ = (await (await ground.get(`/v1/exports/${id}`, admin)).json()) as {
              state: string;
            };
            return export_.state === 'ready';
          },
          20_000,
        );
      } finally {
        await client.end();
      }
    }
    expect(seen).toEqual([0, 1]);
  },
);
