import { expect, test } from '@jest/globals';
import { serverMessage, serverSays } from '../../src/pg/server-message.js';

const told = (properties: object): Error => Object.assign(new Error('about Ada Lovelace'), properties);

test.each([
  ['a data exception', { code: '22P02' }],
  ['a broken constraint', { code: '23505' }],
  ['RAISE', { code: 'P0001' }],
  ['an SQLSTATE raised in a function', { code: '42501', where: 'PL/pgSQL function f() line 1' }],
  [
    'RAISE that says that the disk is full',
    { code: '53100', file: 'pl_exec.c', where: 'PL/pgSQL function f() line 1 at RAISE' },
  ],
  ['a row of a COPY', { code: '42804', where: 'COPY entry, line 7' }],
  ['an error that is not from a server', { code: 'ECONNRESET' }],
])('the message of %s is not quoted, because it may contain a value', (_, properties) => {
  expect(serverMessage(told(properties))).toBeNull();
  expect(serverSays(told(properties))).not.toContain('Ada');
});

test.each([
  ['about a statement', { code: '42501' }],
  ['about the disk, also in a COPY', { code: '53100', file: 'md.c', where: 'COPY entry, line 7' }],
])('the message %s is quoted', (_, properties) => {
  expect(serverSays(told(properties))).toBe(`${properties.code}: about Ada Lovelace`);
});
