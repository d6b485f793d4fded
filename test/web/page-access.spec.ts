import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, focused, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

describe('accessibility of the page', () => {
  browserTest('every step works by keyboard: filter, move through rows, read an entry, export', async () => {
    await using ground = await openGround(open, { entries: 40 });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the entries');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(
      await entryRows(page)
        .first()
        .evaluate((row) => row.contains(document.activeElement)),
    ).toBe(true);

    await page.keyboard.press('j');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('k');
    const third = entryRows(page).nth(2);
    expect(await third.evaluate((row) => row.contains(document.activeElement))).toBe(true);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    const title = await focused(page);
    await page.keyboard.press('j');
    await until(
      'the older entry',
      async () => (await dialog.getByRole('heading', { level: 2 }).textContent()) !== title,
    );
    await page.keyboard.press('Escape');
    await until('the dialog to close', async () => (await dialog.count()) === 0);
    // The focus is on the row of the entry that was read last.
    expect(
      await entryRows(page)
        .nth(3)
        .evaluate((row) => row.contains(document.activeElement)),
    ).toBe(true);

    await page.keyboard.press('/');
    await page.keyboard.type('acme');
    await page.keyboard.press('Enter');
    await until('the found entries', async () => (await entryRows(page).count()) === 4);
    await page.getByRole('button', { name: 'Export', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Export entries' }).waitFor();
    await page.getByRole('radio', { name: /^Excel/ }).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Exports' }).waitFor();
    expect(api.exports.list[0]).toMatchObject({ format: 'csv', filters: { q: 'acme' } });
    tab.expectQuiet();
  });

  browserTest('the shortcuts are listed, and single keys can be turned off', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await tab.expectAccessible('shortcuts');
    await page.getByLabel('Single-key shortcuts').uncheck();
    await page.keyboard.press('Escape');
    await until('the dialog to close', async () => (await page.getByRole('dialog').count()) === 0);
    await page.keyboard.press('?');
    await page.keyboard.press('/');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await focused(page)).not.toBe('Search');
    tab.expectQuiet();
  });

  browserTest('every element that can have the focus shows it', async () => {
    await using ground = await openGround(open, { entries: 3, path: '?action=block' });
    const { page, tab } = ground;
    await entryRows(page).first().waitFor();
    const hidden: string[] = [];
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press('Tab');
      const shown = await page.evaluate(() => {
        const element = document.activeElement!;
        const style = getComputedStyle(element);
        return (
          element === document.body || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)
        );
      });
      if (!shown) hidden.push(await focused(page));
    }
    expect(hidden).toEqual([]);
    tab.expectQuiet();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    browserTest(
      `the ${colorScheme} page has enough contrast everywhere, and a chosen theme is remembered`,
      async () => {
        await using ground = await openGround(open, { entries: 20, context: { colorScheme } });
        const { api, page, tab } = ground;
        await entryRows(page).first().waitFor();
        const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const before = await paper();
        await tab.expectAccessible(`list, ${colorScheme}`);
        await page.goto(`${api.url}/?entry=1400000000003`);
        await page.getByRole('dialog').getByRole('table').waitFor();
        await tab.expectAccessible(`detail, ${colorScheme}`);
        await page.goto(api.url);
        await page.getByRole('button', { name: /^Theme: System/ }).click();
        if (colorScheme === 'light') await page.getByRole('button', { name: /^Theme: Light/ }).click();
        expect(await paper()).not.toBe(before);
        await page.reload();
        await entryRows(page).first().waitFor();
        expect(await paper()).not.toBe(before);
        await tab.expectAccessible(`list, chosen theme over ${colorScheme}`);
        tab.expectQuiet();
      },
    );
  }

  browserTest(
    'on a narrow screen rows are cards, nothing scrolls sideways, and the table stays a table for screen readers',
    async () => {
      await using ground = await openGround(open, {
        entries: 20,
        context: { viewport: { width: 360, height: 740 } },
      });
      const { page, tab } = ground;
      await entryRows(page).first().waitFor();
      const overflow = () =>
        page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(await overflow()).toBe(0);
      expect(await page.getByRole('columnheader').count()).toBe(7);
      expect(await page.getByRole('row').count()).toBe(21);
      const box = (await entryRows(page).first().boundingBox())!;
      expect(box.height).toBeGreaterThan(100);
      await tab.expectAccessible('narrow list');

      expect(await page.getByRole('button', { name: /^Action category/ }).isVisible()).toBe(false);
      await page.getByRole('button', { name: 'More filters' }).click();
      await page.getByRole('button', { name: /^Action category/ }).click();
      await page.getByRole('option', { name: /Block/ }).click();
      await tab.expectAccessible('narrow filters');
      await page.keyboard.press('Escape');
      await until('the filtered list', async () => (await entryRows(page).count()) === 2);
      await entryRows(page).first().click();
      await page.getByRole('dialog').getByRole('table').waitFor();
      expect(await overflow()).toBe(0);
      await tab.expectAccessible('narrow detail');
      tab.expectQuiet();
    },
  );

  browserTest('nothing is animated for people who prefer reduced motion', async () => {
    await using ground = await openGround(open, { entries: 3, context: { reducedMotion: 'reduce' } });
    const { page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    const durations = await page.evaluate(() =>
      document
        .getAnimations()
        .map((animation) => Number(animation.effect?.getComputedTiming().activeDuration)),
    );
    expect(durations.filter((duration) => duration > 1)).toEqual([]);
    tab.expectQuiet();
  });

  browserTest('a printed page has the list and not its controls', async () => {
    await using ground = await openGround(open, { entries: 20, path: '?action=block' });
    const { page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.emulateMedia({ media: 'print' });
    expect(await page.getByRole('heading', { name: 'Audit trail logs' }).isVisible()).toBe(true);
    expect(await page.getByRole('table').isVisible()).toBe(true);
    expect(await page.getByText('Action Block').isVisible()).toBe(true);
    for (const name of [/^Modified by/, /^Export/, /^Live updates/, /^Sign out/])
      expect(await page.getByRole('button', { name }).first().isVisible()).toBe(false);
    tab.expectQuiet();
  });
});
