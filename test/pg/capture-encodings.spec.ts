import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { readDecoder } from '../../src/pg/encoding.js';
import { captureGround } from '../support/capture.ts';
import { encodedDatabase } from '../support/database.ts';

/** A cast that gets any bytes into a text column, as a C extension could. */
const CAST = 'create cast (bytea as text) without function';
const SCHEMA = `${CAST};
  create table items (id text primary key, name text, tenant text, by_whom text);
  create table people (id text primary key, name text)`;
const YAML = `
messages: { trust_names: true }
modifiers: { table: public.people, key: id, name: "{name}" }
tables: { public.items: { entity: item, name: "{name}", tenant: tenant, modifier: by_whom } }`;

const bytes = (hex: string): string => `'\\x${hex}'::bytea::text`;

/** A text in the encoding, the same text in UTF-8, and bytes that are not text in it. */
const ENCODINGS: readonly (readonly [encoding: string, text: string, utf8: string, noText: string])[] = [
  ['UTF8', 'c3a9d7a9', 'éש', 'c3'],
  ['LATIN1', 'e9f8', 'éø', ''],
  // The last two bytes happen to be UTF-8.
  ['WIN1255', 'f9ece5ed', 'שלום', '61d990'],
  ['WIN1252', '80e9', '€é', '8d'],
  // A wave dash, which decoders map differently; half-width kana; a character outside the basic plane.
  ['EUC_JP', 'a1c18eb18fb0a1', '～ｱ丂', 'a4'],
  ['EUC_KR', 'b0a1', '가', 'ff'],
  ['EUC_CN', 'b0a1', '啊', 'a2a1'],
];

describe('a source of any encoding', () => {
  test.each(ENCODINGS)(
    '%s: text becomes UTF-8, everything else stays bytes',
    async (encoding, text, utf8, noText) => {
      const source = await encodedDatabase(encoding);
      // Read when the trail begins, and then in the stream.
      await source.query(`${SCHEMA}; insert into people values ('1', ${bytes(text)})`);
      await using g = await captureGround({ source, schemaSql: 'select 1', yaml: YAML });
      await source.query(`insert into items values ('a', ${bytes(text)}, ${bytes(text)}, '1')`);
      await source.query(`insert into items values (${bytes(text)}, 'plain', null, null)`);
      await source.query(
        `select pg_logical_emit_message(true, 'waltrail', '{"modifier":"9","name":"'::text || ${bytes(text)} || '"}');
       insert into items values ('m', 'by message', null, null)`,
      );
      if (noText !== '') {
        await source.query(`insert into people values (${bytes(noText)}, ${bytes(noText)})`);
        await source.query(
          `insert into items values (${bytes(noText)}, ${bytes(noText)}, ${bytes(noText)}, ${bytes(noText)})`,
        );
        await source.query(`update items set name = 'x' where id = ${bytes(noText)}`);
      }
      const [first, second, third, fourth, fifth] = await g.caughtUp();
      expect(first).toMatchObject({
        updated: { id: 'a', name: utf8, tenant: utf8, by_whom: '1' },
        entityName: utf8,
        tenant: utf8,
        modifier: utf8,
      });
      expect(second).toMatchObject({ entityId: utf8, updated: { id: utf8 } });
      expect(third).toMatchObject({ modifier: utf8, rung: 'm' });
      const shown = `\\x{${noText}}`;
      const stored = `bytes:${noText}`;
      if (noText === '') return;
      expect(fourth).toMatchObject({
        updated: { id: stored, name: stored, tenant: stored, by_whom: stored },
        entityId: shown,
        entityName: shown,
        tenant: shown,
        modifier: shown,
        modifierKey: shown,
      });
      expect(fifth).toMatchObject({ entityId: shown, previous: { name: stored }, updated: { name: 'x' } });
    },
  );

  test('EUC_TW, for which there is no table: ASCII is text, everything else stays bytes', async () => {
    const source = await encodedDatabase('EUC_TW');
    await using g = await captureGround({ source, schemaSql: SCHEMA, yaml: YAML });
    await source.query(`insert into items values ('1', 'plain', ${bytes('c3a9')}, null)`);
    expect((await g.caughtUp())[0]).toMatchObject({
      updated: { id: '1', name: 'plain', tenant: 'bytes:c3a9' },
      tenant: '\\x{c3a9}',
    });
  });

  test.each(['WIN1255', 'LATIN2', 'KOI8R', 'EUC_JP', 'EUC_JIS_2004', 'EUC_KR', 'EUC_CN'])(
    '%s is decoded as the server decodes it, character by character',
    async (encoding) => {
      await using source = await encodedDatabase(encoding);
      const client = new pg.Client(source.url);
      await client.connect();
      try {
        const decoder = (await readDecoder(client))!;
        const random = await client.query<{ raw: Buffer; utf8: Buffer | null }>(`
          create function pg_temp.utf8(p bytea) returns bytea language plpgsql as $$
          begin
            return convert(p, getdatabaseencoding(), 'UTF8');
          exception when others then return null;
          end $$;
          select setseed(0.5);
          select raw, pg_temp.utf8(raw) as utf8 from (
            select decode(string_agg(to_hex(case when random() < 0.3 then 97 when random() < 0.1 then 142 when random() < 0.1 then 143 else 160 + (random() * 95)::int end), ''), 'hex') as raw
              from generate_series(1, 4) byte, generate_series(1, 20000) value group by value) x`);
        const { rows } = (random as unknown as (typeof random)[])[2]!;
        const differing = rows.filter(({ raw, utf8 }) => {
          const decoded = decoder.decode(raw, 0, raw.length);
          return utf8 === null ? decoded !== null : decoded === null || !decoded.equals(utf8);
        });
        expect(differing.map(({ raw }) => raw.toString('hex'))).toEqual([]);
        expect(rows.filter(({ utf8 }) => utf8 !== null).length).toBeGreaterThan(500);
      } finally {
        await client.end();
      }
    },
  );
});
