import { expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, openGround } from '../support/page.ts';

const open = sharedBrowser();

browserTest(
  'dates and values of a row use the same zone, and show beside them what PostgreSQL printed',
  async () => {
    await using ground = await openGround(open, { entries: 0, path: '?tz=Europe/Berlin' });
    const { api, page, tab } = ground;
    await page.getByText('Nothing was changed in this range').waitFor();
    // The entry is older than the range, so only the stream brings it.
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    api.add({
      committedAt: '2026-10-25T01:30:00.250000Z',
      operation: 'update',
      previous: { closed_at: '2026-10-25 00:30:00+00' },
      updated: { closed_at: 'infinity' },
      instants: ['closed_at'],
    });
    const row = entryRows(page).first();
    await row.waitFor();
    // That day has two offsets. Both times show their offset, so the repeated hour is unambiguous.
    expect(await row.locator('.cell-date').textContent()).toBe('2026-10-25 02:30:00 +01:00');
    const value = row.locator('.values-previous .value');
    expect(await value.textContent()).toBe('2026-10-25 02:30:00 +02:00');
    expect(await value.getAttribute('title')).toBe('Stored as 2026-10-25 00:30:00+00');
    expect(await row.locator('.values-updated .value').textContent()).toBe('infinity');
    await row.click();
    const before = page.locator('.field-previous');
    await before.waitFor();
    expect(await before.textContent()).toBe('2026-10-25 02:30:00 +02:002026-10-25 00:30:00+00');
    expect(await page.locator('.detail-when').textContent()).toContain('2026-10-25 02:30:00.250000 +01:00');
    await tab.expectAccessible('clock');
    tab.expectQuiet();
  },
);
