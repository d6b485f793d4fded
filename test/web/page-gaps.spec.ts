import { describe, expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import type { NewEntry } from '../support/mock-entries.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();
const banner = (page: Page) => page.getByRole('alert');
const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const own = (said: NewEntry): NewEntry => ({
  modifier: { key: null, name: 'Waltrail', kind: null, rung: 'waltrail' },
  operation: 'insert',
  tenant: null,
  transaction: { xid: '0', commitLsn: '0/23739C0', seq: -2 },
  context: null,
  ...said,
});
const GAP_ENTRY = own({
  action: 'gap',
  entity: {
    type: 'waltrail',
    name: 'Changes may be missing: the replication slot no longer exists',
    id: '1',
  },
  table: 'waltrail.gap',
  previous: null,
  updated: {
    code: 'SOURCE_SLOT_LOST',
    tables: null,
    from_lsn: '0/23739C0',
    to_lsn: null,
    last_entry_at: '2026-11-23 20:29:02.027018+00',
  },
});

describe('a range in which the trail may be incomplete', () => {
  browserTest(
    "is marked once in red, with time, reason and tables, and leads to Waltrail's entries about it",
    async () => {
      await using ground = await openGround(open, { entries: 5, path: '?action=block' });
      const { api, page, tab } = ground;
      await entryRows(page).first().waitFor();
      expect(await banner(page).count()).toBe(0);

      api.addGap({
        lastEntryAt: '2026-03-02T09:00:00.5Z',
        closedAt: '2026-03-02T10:30:00Z',
        foundAt: '2026-03-02T09:10:00Z',
      });
      await page.goto(
        `${api.url}/?action=block&from=2026-03-02T08:00:00Z&to=2026-03-02T09:05:00Z&tz=Asia/Jerusalem`,
      );
      await banner(page).waitFor();
      const text = (await banner(page).textContent())!;
      expect(text).toContain(
        'The trail may be incomplete between 2026-03-02 11:00:00 and 2026-03-02 12:30:00',
      );
      expect(text).toContain('the replication slot no longer exists (SOURCE_SLOT_LOST; all tracked tables)');
      expect(text).not.toContain('Recording is stopped');
      await tab.expectAccessible('closed gap');

      // The entry about the gap is at the time of its discovery, which is after the range.
      await page.getByRole('link', { name: 'Show Waltrail’s entries' }).click();
      const query = new URL(page.url()).searchParams;
      expect([query.getAll('entityType'), query.getAll('action')]).toEqual([['waltrail'], []]);
      expect(Date.parse(query.get('from')!)).toBeLessThan(Date.parse('2026-03-02T09:10:00Z'));
      expect(Date.parse(query.get('to')!)).toBeGreaterThan(Date.parse('2026-03-02T09:10:00Z'));

      await page.getByText('No entry matches these filters').waitFor();
      await page.goto(`${api.url}/?from=2026-03-02T08:00:00Z&to=2026-03-02T09:05:00Z`);
      await page.getByText('The trail has no entry in this range').waitFor();
      await page.goto(`${api.url}/?from=2026-03-02T10:31:00Z&to=2026-03-02T11:00:00Z`);
      await page.getByText('Nothing was changed in this range').waitFor();
      expect(await banner(page).count()).toBe(0);
      tab.expectQuiet();
    },
  );

  for (const colorScheme of ['light', 'dark'] as const) {
    browserTest(
      `states that recording stands still and which command to run, if the gap is open (${colorScheme}, narrow)`,
      async () => {
        await using ground = await openGround(open, {
          entries: 5,
          context: { colorScheme, viewport: { width: 360, height: 740 } },
        });
        const { api, page, tab } = ground;
        await entryRows(page).first().waitFor();
        api.addGap({
          lastEntryAt: hoursAgo(3),
          closedAt: hoursAgo(2),
          code: 'SOURCE_PUBLICATION_INCOMPLETE',
          tables: ['public.agents'],
          summary: 'Changes may be missing: tables were not published',
        });
        api.addGap({ closedAt: null, acceptedAt: null, toLsn: null });
        await page.reload();
        await banner(page).waitFor();
        const text = (await banner(page).textContent())!;
        expect(text).toContain('The trail may be incomplete in 2 parts of this range');
        expect(text).toMatch(/Since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\./);
        expect(text).toContain('public.agents');
        expect(text).toContain('Recording is stopped');
        expect(text).toContain('waltrail gaps --accept');
        expect(await banner(page).count()).toBe(1);
        expect(
          await page.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          ),
        ).toBe(0);
        await tab.expectAccessible(`open gap, ${colorScheme}`);
        tab.expectQuiet();
      },
    );
  }

  browserTest('states that other tables are recorded if only one table has the gap', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    api.addGap({ closedAt: null, acceptedAt: null, toLsn: null, tables: ['public.invoices'] });
    await page.reload();
    await banner(page).waitFor();
    const text = (await banner(page).textContent())!;
    expect(text).toContain('public.invoices');
    expect(text).toContain('Recording of other tables continues.');
    expect(text).not.toContain('Recording is stopped');
    tab.expectQuiet();
  });

  browserTest('is checked again when a gap is added, and not because time passes', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    const asked = (path: string): number => api.seen.filter((seen) => seen.path === path).length;
    const looks = asked('/v1/status');
    await page.clock.install();
    // Longer than the longest time between two requests.
    for (let minutes = 0; minutes < 3; minutes += 1) {
      const before = asked('/v1/status');
      await page.clock.fastForward(60_000);
      await until('another look at the status', () => asked('/v1/status') > before);
    }
    expect(asked('/v1/status')).toBeGreaterThan(looks);
    expect(asked('/v1/gaps')).toBe(1);
    // There is no entry about this gap, because recording stands still.
    api.addGap({ closedAt: null });
    await page.clock.fastForward(10_000);
    await banner(page).waitFor();
    expect(asked('/v1/gaps')).toBe(2);
    tab.expectQuiet();
  });

  browserTest('is marked as soon as there is an entry about the gap', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    expect(await banner(page).count()).toBe(0);
    api.addGap({ closedAt: null });
    api.add(GAP_ENTRY);
    await banner(page).waitFor();
    tab.expectQuiet();
  });

  browserTest(
    'is marked for a tenant, too, without tables and without a link to entries that the tenant cannot see',
    async () => {
      await using ground = await openGround(open, { entries: 1, session: { tenant: '1' } });
      const { api, page, tab } = ground;
      await entryRows(page).first().waitFor();
      api.addGap();
      await page.reload();
      await banner(page).waitFor();
      expect(await banner(page).textContent()).toContain('no longer exists (SOURCE_SLOT_LOST)');
      expect(await banner(page).getByRole('link').count()).toBe(0);
      tab.expectQuiet();
    },
  );

  browserTest('shows a warning if the server does not answer about gaps', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    // After this error the page does not retry automatically, unlike after a server that does not answer.
    api.failWith('/v1/gaps', { status: 500, title: 'The trail does not answer' });
    await page.reload();
    await banner(page).getByText('It is not known whether the trail is complete in this range').waitFor();
    await tab.expectAccessible('gaps not known');
    api.failWith('/v1/gaps', null);
    await banner(page).getByRole('button', { name: 'Try again' }).click();
    await until('the warning to go', async () => (await banner(page).count()) === 0);
    tab.expectQuiet({ except: /500/ });
  });
});

describe('entries that Waltrail itself records', () => {
  browserTest('are readable in the list and in the detail', async () => {
    await using ground = await openGround(open, { path: '?tz=Asia/Jerusalem' });
    const { api, page, tab } = ground;
    api.add(
      own({
        action: 'tracking',
        entity: { type: 'waltrail', name: 'public.agents', id: null },
        table: 'waltrail.tracking',
        operation: 'update',
        previous: { change: 'replica identity full' },
        updated: { change: 'replica identity default' },
      }),
    );
    api.add(GAP_ENTRY);
    await page.reload();
    await until('both rows', async () => (await entryRows(page).count()) === 2);
    const row = (await entryRows(page).first().textContent())!;
    expect(row).toContain('Gap');
    expect(row).toContain('Waltrail itself');
    expect(row).toContain('all tracked tables');
    expect(row).toContain('2026-11-23 22:29:02');
    expect(row).not.toContain('did not exist');
    expect(await entryRows(page).nth(1).textContent()).toContain('Tracking changed');
    await tab.expectAccessible('own entries');

    await entryRows(page).first().click();
    const dialog = page.getByRole('dialog');
    await dialog
      .getByRole('heading', { name: 'Changes may be missing: the replication slot no longer exists' })
      .waitFor();
    const detail = (await dialog.textContent())!;
    expect(detail).toContain('Missing to (LSN)not known yet');
    expect(detail).toContain('Waltrail wrote this entry.');
    expect(detail).not.toMatch(/new row|Previous value|xid|of this waltrail/);
    await tab.expectAccessible('detail of a gap');
    await page.keyboard.press('j');
    await dialog.getByRole('heading', { name: 'Tracking changed: public.agents' }).waitFor();
    expect(await dialog.getByRole('table', { name: 'Before and after' }).count()).toBe(1);
    await tab.expectAccessible('detail of changed tracking');
    tab.expectQuiet();
  });
});

browserTest('an export of a range with gaps states that its file may be incomplete', async () => {
  await using ground = await openGround(open, { entries: 5 });
  const { api, page, tab } = ground;
  api.exports.put();
  api.exports.finish(undefined, 2);
  api.exports.put();
  api.exports.finish(undefined, 0);
  await page.goto(`${api.url}/?panel=exports`);
  const panel = page.getByRole('dialog', { name: 'Exports' });
  await panel.getByText('May be incomplete: the trail has 2 gaps in this range').waitFor();
  expect(await panel.getByText('May be incomplete').count()).toBe(1);
  await tab.expectAccessible('export of a range with gaps');
  tab.expectQuiet();
});
