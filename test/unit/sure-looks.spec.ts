import { expect, test } from '@jest/globals';
import { SureLooks } from '../../src/capture/sure-looks.js';

test('a look counts after the transactions that ran during it have ended', () => {
  const looks = new SureLooks(10n);
  looks.looked({ lsn: 20n, running: ['a'] }, []);
  expect(looks.lsn).toBe(10n);
  looks.looked({ lsn: 30n, running: ['a', 'b'] }, []);
  expect(looks.lsn).toBe(10n);
  looks.looked({ lsn: 40n, running: ['b'] }, []);
  expect(looks.lsn).toBe(20n);
  looks.looked({ lsn: 50n, running: [] }, []);
  expect(looks.lsn).toBe(40n);
});

test('tables that change with every look do not keep the looks at other tables from counting', () => {
  const looks = new SureLooks(10n);
  for (let at = 20n; at <= 60n; at += 10n) looks.looked({ lsn: at, running: [] }, [`made_${at}`, 'busy']);
  expect(looks.of('quiet')).toBe(50n);
  // For a changed table only earlier looks count, until there is a look after the change.
  expect(looks.of('busy')).toBe(10n);
  expect(looks.of('made_60')).toBe(40n);
  expect(looks.of('made_40')).toBe(50n);
  expect(looks.lsn).toBe(10n);
  looks.looked({ lsn: 70n, running: [] }, []);
  looks.looked({ lsn: 80n, running: [] }, []);
  expect([looks.of('busy'), looks.lsn]).toEqual([70n, 70n]);
});

test('a change seen while a transaction runs is not covered by looks before it', () => {
  const looks = new SureLooks(10n);
  looks.looked({ lsn: 20n, running: ['a'] }, []);
  looks.looked({ lsn: 30n, running: ['a'] }, ['items']);
  looks.looked({ lsn: 40n, running: [] }, []);
  expect([looks.of('items'), looks.of('others')]).toEqual([10n, 20n]);
  looks.looked({ lsn: 50n, running: [] }, []);
  expect([looks.of('items'), looks.of('others')]).toEqual([40n, 40n]);
});
