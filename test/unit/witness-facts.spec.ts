import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { OtherModifier } from '../../src/pipeline/other-modifier.js';
import { rowSpeakers } from '../../src/pipeline/row-speakers.js';
import { personOf, TransactionWitnesses, type Speaker } from '../../src/pipeline/witness-facts.js';
import { tableName } from '../../src/tracking/names.js';
import { RowTypes } from '../../src/tracking/row-types.js';

/**
 * `C` is a run of changes of one row, a digit is a witness that names this person, and `0` is a witness
 * without a person.
 */
function speakersOf(story: string): string {
  const said: (string | null)[] = [];
  const changed = [false];
  for (const letter of story) {
    if (letter === 'C') changed[said.length] = true;
    else {
      said.push(letter === '0' ? null : letter);
      changed.push(false);
    }
  }
  const speakers = rowSpeakers(said, changed);
  return changed.flatMap((is, place) => (is ? [speakers[place] ?? '-'] : [])).join('');
}

describe('the witnesses of one row', () => {
  test.each([
    ['one after the changes', 'C7', '7'],
    ['one before the changes', '7C', '7'],
    ['several of one person, at any position', '7C77C7CC', '777'],
    ['each after its change', 'C7C2C9', '729'],
    ['each before its change', '7C2C9C', '729'],
    ['after an insert, and before the updates', 'C72C9C', '729'],
    ['one that names nobody, for its change', 'C7C0C9', '7-9'],
    ['nobody if there is a witness too many', 'C72C9', '--'],
    ['nobody if there is a change too many', 'C7C2C', '---'],
    ['nobody if two belong to one change', '72C', '-'],
    ['nobody if there is none', 'C', '-'],
    ['nobody if none names anybody', 'C0C0', '--'],
  ])('attribute changes to %s: %s', (_, story, speakers) => {
    expect(speakersOf(story)).toBe(speakers);
  });

  test('never attribute a change to a person without a witness beside it, if they name several people', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[C79]{1,12}$/), (story) => {
        const runs = story.replace(/C+/g, 'C');
        const places = [...runs.matchAll(/C/g)].map(({ index }) => index);
        const speakers = speakersOf(runs);
        places.forEach((at, index) => {
          const around = /[79]*$/.exec(runs.slice(0, at))![0] + /^[79]*/.exec(runs.slice(at + 1))![0];
          const speaker = speakers[index]!;
          const isOnePerson = !runs.includes('7') || !runs.includes('9');
          if (speaker !== '-' && !isOnePerson) expect(around).toContain(speaker);
        });
      }),
      { numRuns: 2_000 },
    );
  });
});

const speakerOf = (key: string): Speaker => {
  const person = { key, name: key, kind: 'agent' as const };
  return { table: 0, key, person, other: new OtherModifier(person, { redactor: null, rung: 'witness' }) };
};

/** The witnesses of a transaction, each of a different row. */
function witnessesOf(keys: Iterable<string | null>): TransactionWitnesses {
  const witnesses = new TransactionWitnesses();
  let place = 0;
  for (const key of keys) {
    place++;
    if (key === null) witnesses.addNobody(place, [`row ${place}`]);
    else witnesses.addSpeaker(place, [`row ${place}`], personOf(0, key), () => speakerOf(key));
  }
  return witnesses;
}

function* times(count: number, key: (index: number) => string | null): Generator<string | null> {
  for (let index = 0; index < count; index++) yield key(index);
}

describe('the witnesses of a transaction', () => {
  const other = (witnesses: TransactionWitnesses): string | null =>
    witnesses.testimonyFor(1_000_000, ['another row'])?.speaker.key ?? null;

  test('name who changed rows without a witness, if all that name somebody agree', () => {
    expect(other(witnessesOf(['7', null, '7']))).toBe('7');
    expect(other(witnessesOf(['7', '9']))).toBeNull();
    expect(other(witnessesOf([null, null]))).toBeNull();
    expect(other(new TransactionWitnesses())).toBeNull();
    const unknown = witnessesOf(['7']);
    unknown.addUnknown(2, []);
    expect(other(unknown)).toBeNull();
    expect(unknown.testimonyFor(1_000, ['row 1'])?.speaker.key).toBe('7');
  });

  test('name nobody for other rows while one may be missing', () => {
    const witnesses = witnessesOf(['7']);
    witnesses.isIncomplete();
    expect([other(witnesses), witnesses.testimonyFor(0, ['row 1'])?.speaker.key]).toEqual([null, '7']);
  });

  test('are kept with their rows up to a limit; beyond it they count only if all agree', () => {
    const first = (witnesses: TransactionWitnesses) =>
      witnesses.testimonyFor(0, ['row 1'])?.speaker.key ?? null;
    const agreeing = witnessesOf(times(1_000_000, () => '7'));
    expect([first(agreeing), other(agreeing)]).toEqual(['7', '7']);
    const disagreeing = witnessesOf(times(1_000_000, String));
    expect([first(disagreeing), other(disagreeing), disagreeing.nameSomebody]).toEqual([null, null, false]);
    // Without the one that names nobody, the others would name its row's modifier.
    const oneNobody = witnessesOf(times(1_000_000, (index) => (index === 999_999 ? null : '7')));
    expect([first(oneNobody), other(oneNobody)]).toEqual([null, null]);
    const few = witnessesOf(times(20_000, (index) => String(index % 2)));
    expect([first(few), other(few)]).toEqual(['0', null]);
  });

  test('are matched in linear time, even thousands of one row', () => {
    const witnesses = new TransactionWitnesses();
    const started = performance.now();
    for (let place = 1; place < 40_000; place += 2) {
      witnesses.changed(place, ['row']);
      const key = String(place % 3);
      witnesses.addSpeaker(place + 1, ['row'], personOf(0, key), () => speakerOf(key));
    }
    witnesses.changed(1, ['row']);
    for (let place = 1; place < 40_000; place += 2)
      expect(witnesses.testimonyFor(place, ['row'])?.speaker.key).toBe(String(place % 3));
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('the table that a type name means', () => {
  const types = (...names: readonly string[]) => new RowTypes(names.map(tableName));

  test.each([
    ['User', 'public.users', 'public.users'],
    ['User', 'public.user', 'public.user'],
    ['User', 'public."Users"', 'public.Users'],
    ['user', 'public.users', 'public.users'],
    ['AgentBot', 'public.agent_bots', 'public.agent_bots'],
    ['HTMLPage', 'public.html_pages', 'public.html_pages'],
    ['Category', 'public.categories', 'public.categories'],
    ['Day', 'public.days', 'public.days'],
    ['Inbox', 'public.inboxes', 'public.inboxes'],
    ['Address', 'public.addresses', 'public.addresses'],
    ['Person', 'public.people', 'public.people'],
    ['SalesPerson', 'public.sales_people', 'public.sales_people'],
    ['Ticket::Article', 'public.ticket_articles', 'public.ticket_articles'],
    ['Invoices::Payment', 'public.payments', 'public.payments'],
    ['App\\Models\\User', 'public.users', 'public.users'],
    ['shop.order', 'public.shop_order', 'public.shop_order'],
    ['sale.order.line', 'public.sale_order_line', 'public.sale_order_line'],
    ['Integrations::BaseIntegration', 'public.integrations', 'public.integrations'],
    [
      'PaymentProviderCustomers::BaseCustomer',
      'public.payment_provider_customers',
      'public.payment_provider_customers',
    ],
    ['Billing::BaseInvoice', 'public.billing', null],
    ['Base', 'public.bases', 'public.bases'],
    ['res.partner', 'public.partners', null],
    ['User', 'public.accounts', null],
    ['constructor', 'public.users', null],
    ['', 'public.users', null],
  ])('for %s among %s is %s', (type, table, found) => {
    const expected = found === null ? null : table.replaceAll('"', '');
    expect(types(table, 'public.others').tableOf(type, 'public')?.replaceAll('"', '') ?? null).toBe(expected);
  });

  test('is the one with the longer name, and none if two match equally well', () => {
    expect(types('public.settings', 'public.account_settings').tableOf('Account::Setting', 'public')).toBe(
      'public.account_settings',
    );
    expect(types('public.user', 'public.users').tableOf('User', 'public')).toBeNull();
    expect(types('a.users', 'b.users').tableOf('User', 'public')).toBeNull();
    expect(types('a.users', 'b.users').tableOf('User', 'b')).toBe('b.users');
  });
});
