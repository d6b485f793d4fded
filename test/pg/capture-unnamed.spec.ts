import { expect, test } from '@jest/globals';
import pg from 'pg';
import { readCatalog } from '../../src/tracking/catalog.js';
import { planTracking } from '../../src/tracking/plan.js';
import { applyTracking, captureGround, type CaptureGround } from '../support/capture.ts';
import { encodedDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const CAST = 'create cast (bytea as text) without function';
const YAML = `tables: { "public.*": { entity: thing, name: "{name}" } }`;

/** Bytes that are not text in the encoding, as hexadecimal digits, and a name that is text. */
const ENCODINGS = [
  ['UTF8', 'c3', 'déjà'],
  ['WIN1255', 'd9', 'שלום'],
  ['LATIN1', null, 'déjà'],
  ['EUC_JP', 'a4', '注文'],
] as const;

/** Runs SQL in which every `~` stands for the bytes. */
async function run(g: CaptureGround, sql: string, hex: string): Promise<void> {
  await g.source.query(
    `do $do$ begin execute replace($sql$${sql}$sql$, '~', '\\x${hex}'::bytea::text); end $do$`,
  );
}

test.each(ENCODINGS)(
  '%s: a table or column whose name is not valid text does not keep others from being captured',
  async (encoding, noText, text) => {
    const source = await encodedDatabase(encoding);
    await using g = await captureGround({
      source,
      schemaSql: `${CAST}; create table items (id int primary key, name text); create table "${text}" (id int primary key, name text)`,
      yaml: YAML,
    });
    await g.source.query(`insert into "${text}" values (1, 'named')`);
    if (noText !== null) {
      const bad = `public.\\x{61${noText}}`;
      await run(g, `create table "a~" (id int primary key, name text)`, noText);
      await until('the table to be named', () => g.capture.status().troubleCount === 1);
      expect(g.capture.status().troubles).toMatchObject([
        {
          table: bad,
          code: 'SOURCE_PUBLICATION_INCOMPLETE',
          effect: 'not captured',
          remedy: expect.stringContaining('by its oid'),
        },
      ]);
      await run(
        g,
        `alter table items add column "c~" text, drop constraint items_pkey, add primary key ("c~", id)`,
        noText,
      );
      // A table that is captured already, and one that is created later.
      await run(g, `alter table "${text}" rename to "b~"`, noText);
      await g.source.query('create table later (id int primary key, name text)');
      await applyTracking(g.config);
      expect((await planOf(g)).steps).toEqual([]);
      await run(
        g,
        `insert into "b~" values (2, 'renamed'); insert into items values (1, 'item', 'x~')`,
        noText,
      );
      await g.source.query(`insert into later values (1, 'later')`);
    } else {
      await g.source.query(
        `insert into "${text}" values (2, 'renamed'); insert into items values (1, 'item')`,
      );
    }
    await g.restart();
    await g.source.query(`insert into items select 2, 'after'${noText === null ? '' : ", 'y'"}`);
    const entries = (await g.caughtUp()).filter(({ rung }) => rung !== 'w');
    expect(entries.map(({ entityName, table }) => `${entityName} ${table}`)).toEqual([
      `named public.${text}`,
      `renamed public.${noText === null ? text : `\\x{62${noText}}`}`,
      'item public.items',
      ...(noText === null ? [] : ['later public.later']),
      'after public.items',
    ]);
    if (noText === null) return;
    expect(entries.at(-1)).toMatchObject({
      entityId: 'y,2',
      updated: { id: '2', name: 'after', [`\\x{63${noText}}`]: 'y' },
    });
    const [{ oid } = { oid: '' }] = await g.source.query<{ oid: string }>(
      `select max(oid)::text as oid from pg_class where relkind = 'r' and relname not in ('items', 'later')
         and oid not in (select prrelid from pg_publication_rel) and relnamespace = 'public'::regnamespace`,
    );
    await g.source.query(
      `do $$ begin execute format('alter table %s rename to renamed', ${oid}::oid::regclass); end $$`,
    );
    await applyTracking(g.config);
    await until('the trouble to end', () => g.capture.status().troubleCount === 0);
    await g.source.query(`insert into renamed values (1, 'renamed')`);
    const [last] = (await g.caughtUp()).filter(({ rung }) => rung !== 'w').slice(-1);
    expect(last).toMatchObject({ entityName: 'renamed', table: 'public.renamed' });
  },
);

async function planOf(g: CaptureGround) {
  const client = new pg.Client(g.source.url);
  await client.connect();
  try {
    return planTracking({ config: g.config, catalog: await readCatalog(client) });
  } finally {
    await client.end();
  }
}
