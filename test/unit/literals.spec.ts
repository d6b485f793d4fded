import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const SOURCES = path.resolve(import.meta.dirname, '../../src');
const FILES = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(path.sep).join('/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('web/'));
const read = (file: string): string => readFileSync(path.join(SOURCES, file), 'utf8');

describe('a code of a protocol has one name, in the file of its contract', () => {
  test('SQLSTATEs', () => {
    const found = FILES.flatMap((file) =>
      [...read(file).matchAll(/'(?=[A-Z]*\d)[0-9A-Z]{5}'/g)].map(([state]) => `${file} ${state}`),
    );
    // The one that Waltrail's own SQL raises stands beside its translation.
    expect(found.filter((place) => !place.startsWith('pg/sql-state.ts '))).toEqual([
      "trail/trail-error.ts 'WT001'",
    ]);
    expect(found.length).toBeGreaterThan(10);
  });
});
