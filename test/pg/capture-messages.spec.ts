import { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { createLog } from '../../src/log.js';
import { captureGround } from '../support/capture.ts';

const SCHEMA = `create table items (id bigint generated always as identity primary key, name text, updated_by text);`;
const YAML = `tables: { public.items: { entity: item, name: "{name}", modifier: updated_by } }`;

async function groundWithLog() {
  const lines: string[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const g = await captureGround({
    schemaSql: SCHEMA,
    yaml: YAML,
    log: createLog({ level: 'debug', destination }),
  });
  return Object.assign(g, {
    readAgain: () => lines.filter((line) => line.includes('PIPELINE_READ_AGAIN')).length,
  });
}

const rows = `insert into items (name, updated_by) select 'a name of some length ' || i, '7' from generate_series(1, 5000) i;`;
const say = (message: string) => `select pg_logical_emit_message(true, 'waltrail', '${message}');`;

test('a transaction larger than memory with many messages is read twice, and the last message has all of it', async () => {
  await using g = await groundWithLog();
  const steps = Array.from({ length: 10 }, (_, index) => `${rows} ${say(`{"modifier": "import ${index}"}`)}`);
  await g.source.query(`begin; ${steps.join(' ')} ${say('{"context": {"job": 1}}')} commit`);
  await g.source.query(`insert into items (name, updated_by) values ('later', '7')`);
  const entries = await g.caughtUp();
  expect(entries).toHaveLength(50_001);
  const all = new Set(
    entries.map(({ modifier, rung, extra }) => `${modifier} ${rung} ${JSON.stringify(extra)}`),
  );
  expect([...all]).toEqual(['import 9 m {"context":{"job":1}}', '7 c null']);
  expect(g.readAgain()).toBe(1);
});

test('a message that is repeated before each statement does not have the transaction read again', async () => {
  await using g = await groundWithLog();
  const step = `${say('{"modifier": "import", "context": {"job": 1}}')} ${rows}`;
  await g.source.query(`begin; ${step.repeat(4)} commit`);
  const entries = await g.caughtUp();
  expect(new Set(entries.map(({ modifier, rung }) => `${modifier} ${rung}`))).toEqual(new Set(['import m']));
  expect(entries).toHaveLength(20_000);
  expect(g.readAgain()).toBe(0);
});

test('a redacted member of a context is masked with everything in it', async () => {
  await using g = await captureGround({
    schemaSql: SCHEMA,
    yaml: `redact: [ { columns: ["*secret*"], with: drop } ]\n${YAML}`,
  });
  await g.source.query(
    `begin; ${say('{"context": {"secrets": ["alpha"], "a": {"my_secret": {"b": "beta"}, "open": 1}}}')} insert into items (name) values ('x'); commit`,
  );
  const [entry] = await g.caughtUp();
  expect(entry!.extra).toEqual({ context: { secrets: '***', a: { my_secret: '***', open: 1 } } });
});
