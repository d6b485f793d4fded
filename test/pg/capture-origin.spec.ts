import { expect, test } from '@jest/globals';
import pg from 'pg';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround } from '../support/capture.ts';

const SCHEMA = `create table items (id bigint generated always as identity primary key, name text);`;
const YAML = `tables: { public.items: { entity: item, name: "{name}" } }`;
const say = (message: string) => `select pg_logical_emit_message(true, 'waltrail', '${message}');`;

test('the replication origin of a transaction is stored with its entries, also together with a late context', async () => {
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  const origin = `"node" ${g.source.name}`;
  const add = (name: string) => `insert into items (name) values ('${name}');`;
  await g.source.query(`select pg_replication_origin_create($1)`, [origin]);
  try {
    await g.source.query(add('made here'));
    await g.source.query(
      `select pg_replication_origin_session_setup('${origin}'); begin; ${add('replicated')} commit;
       begin; ${add('with context')} ${say('{"context": {"a": 1}}')} commit; select pg_replication_origin_session_reset()`,
    );
    await g.source.query(add('made here again'));
    const entries = await g.caughtUp();
    expect(entries.map(({ entityName, extra }) => [entityName, extra])).toEqual([
      ['made here', null],
      ['replicated', { origin }],
      ['with context', { context: { a: 1 }, origin }],
      ['made here again', null],
    ]);
    const pool = new pg.Pool({ connectionString: g.trail.url, max: 1 });
    const shown = await new TrailReader({ pool }).entry(String(entries[2]!.id));
    await pool.end();
    expect(JSON.parse(entryToJson(shown!))).toMatchObject({ transaction: { origin }, context: { a: 1 } });
  } finally {
    await g.source.query(`select pg_replication_origin_drop($1)`, [origin]);
  }
});
