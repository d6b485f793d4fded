import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as ports from '../../src/pipeline/ports.js';

const SOURCES = path.resolve(import.meta.dirname, '../../src');
const FILES = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(path.sep).join('/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('web/'));
const read = (file: string): string => readFileSync(path.join(SOURCES, file), 'utf8');
const found = (files: readonly string[], pattern: RegExp): readonly string[] =>
  files.flatMap((file) => [...read(file).matchAll(pattern)].map(([text]) => `${file} ${text}`));

describe('every code of a protocol has a single constant, in the file of its contract:', () => {
  test('SQLSTATEs', () => {
    const states = found(FILES, /'(?=[A-Z]*\d)[0-9A-Z]{5}'/g);
    // The code that Waltrail's own SQL raises is next to its translation.
    expect(states.filter((place) => !place.startsWith('pg/sql-state.ts '))).toEqual([
      "trail/trail-error.ts 'WT001'",
    ]);
    expect(states.length).toBeGreaterThan(10);
  });

  test('letters of the replication protocol', () => {
    const contracts = ['pgoutput/tags.ts', 'pg/message-types.ts', 'source/replication-protocol.ts'];
    const readers = FILES.filter((file) => /^(pgoutput|source)\//.test(file) && !contracts.includes(file));
    expect(readers.length).toBeGreaterThan(10);
    expect(found(readers, /\b0x[0-9a-f]{2}\b|Buffer\.from\('.'\)|\.charCodeAt\(/g)).toEqual([]);
    expect(namedElsewhere(contracts)).toEqual([]);
  });

  test('codes that the pipeline passes to the trail', () => {
    expect(namedElsewhere(['pipeline/ports.ts'])).toEqual([]);
  });
});

test('letters of operations and rungs equal those of the released table', () => {
  const sql = (file: string): string => readFileSync(path.join(SOURCES, '../sql/trail', file), 'utf8');
  const first = sql('0001_trail.sql');
  const lettersOf = (column: string): readonly string[] =>
    lettersIn(new RegExp(`^ +${column} +"char" not null, +-- (.+)$`, 'm').exec(first)![1]!);
  const last = sql('0042_baseline.sql');
  const operations = lettersIn(/trail\.entry\.operation is '[^:]*: ([^;]*)/.exec(last)![1]!);
  expect(operations).toEqual(expect.arrayContaining([...lettersOf('operation')]));
  expect(Object.values(ports.OPERATION)).toEqual(operations);
  const rungs = lettersIn(/trail\.entry\.rung is '[^:]*: ([^;]*)/.exec(last)![1]!);
  expect(rungs).toEqual(expect.arrayContaining([...lettersOf('rung')]));
  expect(Object.values(ports.RUNG)).toEqual(rungs);
});

/** Single letters, each followed by its meaning. */
const lettersIn = (text: string): readonly string[] =>
  [...text.matchAll(/(?:^|, )(\S) /g)].map((match) => match[1]!);

/** Constants of the contracts that another file defines, too. */
function namedElsewhere(contracts: readonly string[]): readonly string[] {
  const names = contracts.flatMap((file) => [...read(file).matchAll(/^export const ([A-Z_]+) =/gm)]);
  expect(names.length).toBeGreaterThan(3);
  const defined = new RegExp(`\\bconst (${names.map((match) => match[1]).join('|')}) =`, 'g');
  return found(
    FILES.filter((file) => !contracts.includes(file)),
    defined,
  );
}
