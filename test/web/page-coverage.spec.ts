import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, openGround } from '../support/page.ts';

const open = sharedBrowser();
const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();

describe('the note about the part of a range that the trail covers', () => {
  browserTest('replaces "Nothing was changed" for a range before the trail began', async () => {
    await using ground = await openGround(open, { entries: 0 });
    const { api, page, tab } = ground;
    await page.getByText('Nothing was changed in this range').waitFor();
    expect(await page.locator('.coverage').count()).toBe(0);

    api.cover({ since: '2026-03-02T09:30:00.000000Z', droppedBefore: '2026-03-05T00:00:00.000000Z' });
    await page.goto(`${api.url}/?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&tz=Asia/Jerusalem`);
    await page.getByRole('heading', { name: 'The trail does not cover this range' }).waitFor();
    const note = page.locator('.coverage');
    expect(await note.textContent()).toContain('Recording began on 2026-03-02 11:30:00');
    expect(await note.textContent()).not.toContain('removed');
    expect(await page.getByText('Nothing was changed').count()).toBe(0);
    await page.goto(`${api.url}/?from=2026-03-04T00:00:00Z&to=2026-03-06T00:00:00Z`);
    await page.getByRole('heading', { name: 'The trail has no entry in this range' }).waitFor();
    expect(await note.textContent()).toContain('covers only a part of this range');
    expect(await note.textContent()).toContain('before 2026-03-05 00:00:00 were removed by the retention');
    await tab.expectAccessible('coverage');
    tab.expectQuiet();
  });

  browserTest('shows the list as live only while recording is current', async () => {
    await using ground = await openGround(open, { entries: 3 });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.getByRole('button', { name: /^Live updates, live up to \d\d:\d\d:\d\d/ }).waitFor();
    api.cover({ until: hoursAgo(2), capture: 'reconnecting' });
    await page.getByRole('button', { name: /^Live updates, interrupted up to/ }).waitFor();
    expect(await page.locator('.live-open').count()).toBe(0);
    expect(await page.locator('.coverage').textContent()).toContain('The trail is current up to');
    api.cover({ until: hoursAgo(2), capture: 'streaming' });
    await page.getByRole('button', { name: /^Live updates, behind up to/ }).waitFor();
    // A time that is not today's is shown with its date.
    api.cover({ until: hoursAgo(26), capture: 'stopped' });
    await page
      .getByRole('button', { name: /^Live updates, stopped up to \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; pause/ })
      .waitFor();
    await tab.expectAccessible('stopped');
    api.cover({});
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    tab.expectQuiet();
  });

  browserTest('differs from the note about how far the list is behind the trail', async () => {
    await using ground = await openGround(open, { entries: 3 });
    const { api, page, tab } = ground;
    const button = (name: RegExp) => page.getByRole('button', { name });
    await button(/^Live updates, live/).waitFor();
    api.fallBehind(40);
    await button(/^Live updates, 40 seconds behind/).waitFor();
    expect(await button(/^Live updates/).getAttribute('title')).toContain(
      'This list is 40 seconds behind the trail',
    );
    expect(await page.locator('.live-open').count()).toBe(0);
    await tab.expectAccessible('a list that is behind');
    api.fallBehind(600);
    await button(/^Live updates, 10 minutes behind/).waitFor();
    api.fallBehind(0);
    await button(/^Live updates, live/).waitFor();
    // Missing recordings are more important, so their note is shown.
    api.fallBehind(40);
    api.cover({ until: hoursAgo(2), capture: 'stopped' });
    await button(/^Live updates, stopped/).waitFor();
    tab.expectQuiet();
  });
});
