import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';

const TEXT = readFileSync(path.resolve(import.meta.dirname, '../../docs/attribution.md'), 'utf8');

const SCHEMA = `
  create table users (id int primary key, name text);
  insert into users values (3, 'Ann Admin'), (7, 'Dana Levi');
  create table agents (id int primary key, blocked boolean);
  insert into agents values (2, false), (3, false);`;
const TRACKED = `
modifiers: { table: public.users, key: id, name: "{name}" }
tables: { public.agents: { entity: agent } }`;

/** Code of the page, by the language of its block. */
const blocks = (isMeant: (language: string) => boolean): string[] =>
  [...TEXT.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, language]) => isMeant(language!))
    .map(([, , code]) => code!);

/** Who made each entry, and how that was found. */
const named = async (g: CaptureGround): Promise<(string | null)[]> =>
  (await g.caughtUp())
    .filter(({ rung }) => rung !== 'w')
    .map(({ modifier, rung }) => (rung === '-' ? null : `${rung} ${modifier}`));

describe('the page about attribution', () => {
  test('has SQL that runs unchanged, and attributes each change', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: `${TRACKED}\nsession: [supabase]` });
    const [transaction, statement, actingAs, setting, ...others] = blocks(
      (language) => language === 'sql',
    ).filter(
      // The functions that sign are run by capture-attribution.spec.ts.
      (sql) => !sql.startsWith('create function'),
    );
    expect(others).toEqual([]);
    await g.source.query(transaction!);
    await g.source.query(statement!);
    await g.source.query(`begin; ${actingAs} insert into agents values (4, false); commit`);
    await g.source.query(setting!);
    expect(await named(g)).toEqual([
      ...['m Dana Levi', 'm Dana Levi', 'm Dana Levi'],
      'm Ann Admin',
      's Dana Levi',
    ]);
  });

  test('has one statement in each snippet, which attributes the changes of its transaction', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: TRACKED });
    const snippets = blocks((language) => !['sql', 'yaml'].includes(language));
    expect(snippets.length).toBeGreaterThanOrEqual(10);
    for (const snippet of snippets) {
      const [statement, ...more] = [
        ...snippet.matchAll(/select pg_logical_emit_message\(true, 'waltrail', ([^]+?)\)(?:::text)?[`"]/g),
      ];
      expect([snippet, more]).toEqual([snippet, []]);
      // The text in place of a parameter is bound as text, as the drivers do it.
      const [text, parameter] = [statement![0].slice(0, -1), statement![1]!];
      const sql = text.replace(parameter, () => (parameter.endsWith('::text') ? '$1::text' : '$1'));
      await g.source.query(
        `do $$ begin
           execute ${quoted(sql)} using '{"modifier": "7"}'::text;
           update agents set blocked = not blocked where id = 2;
         end $$`,
      );
    }
    expect(await named(g)).toEqual(snippets.map(() => 'm Dana Levi'));
  });
});

describe('the packages of Bemi', () => {
  /**
   * What their migrations install, reduced to what it sends: the comment of the statement, before each row.
   */
  const FROM_COMMENT = `${SCHEMA}
    create function say_context() returns trigger language plpgsql as $$
    declare
      context text := substring(current_query() from '/\\*Bemi (.*) Bemi\\*/');
    begin
      if context <> '' then
        perform pg_logical_emit_message(true, '_bemi', context);
      end if;
      return coalesce(new, old);
    end $$;
    create trigger say_context before insert or update or delete on agents for each row execute function say_context();`;

  test('attribute each row, with the context, through the comment that they append to a statement', async () => {
    await using g = await captureGround({ schemaSql: FROM_COMMENT, yaml: TRACKED });
    const write = (context: string): string =>
      `update agents set blocked = not blocked where id = 2 /*Bemi ${context} Bemi*/`;
    // As they serialise it: Prisma and SQLAlchemy with the statement, Rails and TypeORM without a context.
    await g.source.query(write('{"SQL":"UPDATE \\"agents\\" SET x = $1","user_id":7,"endpoint":"/agents"}'));
    await g.source.query(write('{"userId": "7"}'));
    await g.source.query(write('null'));
    await g.source.query(write('undefined'));
    await g.source.query('update agents set blocked = not blocked where id = 2');
    await g.source.query('delete from agents /*Bemi {"userID":7} Bemi*/');
    expect(await named(g)).toEqual([
      'm Dana Levi',
      'm Dana Levi',
      null,
      null,
      null,
      'm Dana Levi',
      'm Dana Levi',
    ]);
    const first = (await g.entries()).find(({ rung }) => rung === 'm');
    expect(first!.extra).toMatchObject({ context: { user_id: 7, endpoint: '/agents' } });
  });
});

/** Quotes SQL so that no quotation mark in it ends the text. */
const quoted = (text: string): string => `$sql$${text}$sql$`;
