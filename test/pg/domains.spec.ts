import { expect, test } from '@jest/globals';
import { captureGround } from '../support/capture.ts';
import { viewGround, type AnsweredEntry } from '../support/tenant-view.ts';

const SCHEMA = `
  create domain flag as boolean;
  create domain strict_flag as flag not null;
  create domain moment as timestamptz;
  create domain settings as jsonb;
  create domain amount as numeric;
  create domain amounts as numeric[];
  create domain flags as flag[];
  create table members (id int primary key, active strict_flag, locked flag, seen moment, more settings, owed amount, paid amounts, answers boolean[], votes flags, grades text[]);
  alter table members replica identity full;`;
const YAML = `tables:
  public.members:
    where: { active: true }
    values:
      locked: { yes: locked out, off: open }
      answers: { yes: agreed, no: refused }
      votes: { on: in favour, off: against }
      grades: { true: very good }
    actions:
      - { on: update, changed: locked, to: true, action: lock }
      - { on: update, changed: owed, to: 12.5, action: bill }`;

test('values of a domain are compared, labelled, shown and found as values of its base type', async () => {
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  await g.source.query(/* sql */ `
    insert into members values (1, true, false, '2026-10-25 00:30:00+00', '{"plan": 1.50}', 1, '{1,2}'), (2, false, null, null, null, null, null)`);
  await g.source.query('update members set locked = true, owed = 1.50 where id = 1');
  await g.source.query('update members set owed = 12.50 where id = 1');
  await g.caughtUp();
  await using views = await viewGround(g.trail);
  const all = await views.as(null);
  const [billed, locked, added, ...rest] = (await all.items()) as readonly (AnsweredEntry & {
    readonly instants?: readonly string[];
  })[];
  expect(rest).toEqual([]);
  expect([billed!.action, locked!.action, added!.action]).toEqual(['bill', 'lock', 'add']);
  expect(locked).toMatchObject({
    previous: { locked: false, owed: 1 },
    updated: { locked: true, owed: 1.5 },
    labels: { previous: { locked: 'open' }, updated: { locked: 'locked out' } },
  });
  expect(added).toMatchObject({
    instants: ['seen'],
    updated: {
      active: true,
      locked: false,
      seen: '2026-10-25 00:30:00+00',
      more: { plan: 1.5 },
      paid: '{1,2}',
    },
  });
  expect((await all.items('&q=locked out')).map(({ id }) => id)).toEqual([locked!.id]);
  expect((await all.items('&q=false')).length).toBe(2);

  // The next start compares the stored version with the stream.
  await g.restart();
  await g.source.query('update members set locked = false where id = 1');
  await g.caughtUp();
  expect((await all.items()).map(({ action }) => action)).toEqual(['edit', 'bill', 'lock', 'add']);
});

test('elements that are booleans have words as booleans have, and other elements as they are printed', async () => {
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  await g.source.query(
    `insert into members (id, active, answers, votes, grades) values (1, true, '{t,f,null}', '{f,t}', '{t,true}')`,
  );
  await g.caughtUp();
  await using views = await viewGround(g.trail);
  const all = await views.as(null);
  const [added] = await all.items();
  expect(added!.labels?.updated).toEqual({
    answers: 'agreed, refused, null',
    votes: 'against, in favour',
    grades: 't, very good',
  });
  for (const word of ['refused', 'in favour', 'very good'])
    expect([word, (await all.items(`&q=${word}`)).length]).toEqual([word, 1]);
});
