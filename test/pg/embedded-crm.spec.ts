import { describe, expect, test } from '@jest/globals';
import { freshDatabase } from '../support/database.ts';

describe('the sample CRM', () => {
  test('has a few hundred rows that are the same in every run', async () => {
    await using database = await freshDatabase('crm');
    const [counts] = await database.query<Record<string, number>>(
      `select (select count(*)::int from agents) as agents, (select count(*)::int from customers) as customers,
              (select count(*)::int from conversations) as conversations, (select count(*)::int from messages) as messages,
              (select count(*)::int from list_members) as members`,
    );
    expect(counts).toEqual({ agents: 16, customers: 120, conversations: 90, messages: 180, members: 60 });
    const [customer] = await database.query(
      `select name, birthday::text, balance::text from customers where id = 7`,
    );
    expect(customer).toEqual({ name: 'Aisha Rossi', birthday: '2003-04-15', balance: '554.53' });
  });

  test('holds values that are stored out of line, so that unchanged TOAST occurs', async () => {
    await using database = await freshDatabase('crm');
    const [row] = await database.query<{ bytes: string }>(
      `select pg_relation_size(reltoastrelid) as bytes from pg_class where oid = 'messages'::regclass`,
    );
    expect(Number(row!.bytes)).toBeGreaterThan(0);
  });

  test('leaves publication and replica identity to waltrail apply', async () => {
    await using database = await freshDatabase('crm');
    expect(await database.query('select from pg_publication')).toEqual([]);
    expect(await database.query(`select from pg_class where relreplident = 'f'`)).toEqual([]);
  });
});
