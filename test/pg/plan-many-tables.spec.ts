import { expect, test } from '@jest/globals';
import { planTracking } from '../../src/tracking/plan.js';
import { planText } from '../../src/tracking/plan-text.js';
import { freshDatabase } from '../support/database.ts';
import { catalogOf, trackingConfig } from '../support/tracking.ts';

test('a finding about many tables is one sentence with a list, and not a line for each', async () => {
  await using database = await freshDatabase('empty');
  await database.query(`do $$ begin for i in 1..137 loop
    execute format('create table plain_%s (x int)', i);
    execute format('create table parts_%s (id int primary key) partition by range (id)', i);
    execute format('create table keyless_%s (id int) partition by range (id)', i);
    execute format('create unlogged table unlogged_%s (id int primary key)', i);
  end loop; end $$`);
  const config = trackingConfig(database, { tables: '{ public.*: { entity: x } }' });
  const catalog = await catalogOf(database.url);
  const plan = planTracking({ config, catalog });
  const about = (words: string): string[] => plan.warnings.filter((warning) => warning.includes(words));
  for (const words of ['no primary key', 'are partitioned', 'are unlogged'])
    expect(about(words)).toEqual([expect.stringMatching(/ and \d+ more /)]);
  const text = planText({ plan, costs: [], baselines: [], catalog, config });
  expect(text).toContain('SOURCE_REPLICA_IDENTITY: the same for');
  expect(text.match(/SOURCE_REPLICA_IDENTITY/g)).toHaveLength(6);
});
