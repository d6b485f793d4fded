import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { trackingJsonSchema } from '../../src/tracking/schema.js';

const COMMITTED = path.resolve(import.meta.dirname, '../../config/waltrail.schema.json');

describe('config/waltrail.schema.json', () => {
  test('equals what the loader checks (npm run schema writes it)', async () => {
    const committed: unknown = JSON.parse(await readFile(COMMITTED, 'utf8'));
    const now: unknown = JSON.parse(JSON.stringify(trackingJsonSchema()));
    if (JSON.stringify(committed) !== JSON.stringify(now)) {
      throw new Error('config/waltrail.schema.json is out of date. Run: npm run schema');
    }
    expect(committed).toEqual(now);
  });

  test('describes every key and permits no other', () => {
    const undescribed: string[] = [];
    walk(trackingJsonSchema(), '', (schema, at) => {
      const properties = schema['properties'] as Record<string, Record<string, unknown>> | undefined;
      if (properties === undefined) return;
      expect([at, schema['additionalProperties']]).toEqual([at, false]);
      for (const [key, property] of Object.entries(properties)) {
        expect(key).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
        if (key !== 'truncate' && typeof property['description'] !== 'string')
          undescribed.push(`${at}.${key}`);
      }
    });
    expect(undescribed).toEqual([]);
  });
});

function walk(
  value: unknown,
  at: string,
  visit: (schema: Record<string, unknown>, at: string) => void,
): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) visit(value as Record<string, unknown>, at);
  for (const [key, inner] of Object.entries(value)) walk(inner, `${at}/${key}`, visit);
}
