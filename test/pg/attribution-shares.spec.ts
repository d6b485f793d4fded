import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { named } from '../schemas/attribution.ts';
import { SCHEMAS } from '../schemas/truth.ts';
import { attributedDay } from '../support/attributed-day.ts';

const SEED = 31;
/** Least share of the audited changes that has to be attributed. */
const AUDITED = 0.95;
const SETTING = 'app.user_id';

describe('the YAML that init writes, without a change of the application', () => {
  test.each(SCHEMAS)('attributes a day of %s without wrong names, and more than columns do', async (name) => {
    const { before, after, yaml } = await attributedDay(name, { seed: SEED });
    expect([before.all.wrong, after.all.wrong]).toEqual([[], []]);
    expect(named(after.all)).toBeGreaterThanOrEqual(named(before.all));
    const file = parse(yaml) as { readonly attribution?: unknown; readonly session?: unknown };
    expect(file.session).toBeUndefined();
    if (file.attribution === undefined) return;
    expect(named(after.all)).toBeGreaterThan(named(before.all));
    expect(after.audited.changes).toBeGreaterThan(0);
    expect(named(after.audited)).toBeGreaterThanOrEqual(AUDITED);
  });

  test('attributes nearly all changes on the tables that Lago audits, through memberships', async () => {
    const { before, after, yaml } = await attributedDay('lago', { seed: SEED, audited: true });
    expect(yaml).toMatch(/modifier: whodunnit, prefix: "membership\/", as: memberships/);
    expect(after.all.wrong).toEqual([]);
    expect(named(before.all)).toBe(0);
    expect(named(after.all)).toBeGreaterThanOrEqual(AUDITED);
    expect(after.all.right.witness).toBeGreaterThan(100);
  });

  test.each(['pagila', 'chatwoot'] as const)(
    'attributes the changes of everyone who sets the setting that functions of %s read',
    async (name) => {
      const { before, after, yaml } = await attributedDay(name, { seed: SEED, setting: SETTING });
      expect(yaml).toContain(`session:\n  # functions or policies of the database read ${SETTING}\n`);
      expect(after.all.wrong).toEqual([]);
      expect(after.all.right.session).toBeGreaterThan(0);
      expect(named(before.all)).toBeLessThan(0.5);
      expect(named(after.all)).toBeGreaterThanOrEqual(AUDITED);
    },
  );
});
