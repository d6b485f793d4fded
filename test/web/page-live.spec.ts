import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

describe('the live list', () => {
  browserTest('a new entry appears at the top without a reload, marked for a moment', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    const added = api.add({
      entity: { name: 'Just now', id: '77' },
      updated: { balance: { $number: '9007199254740993.10' } },
    });
    const first = entryRows(page).first();
    await until('the new row', async () => (await first.getAttribute('data-entry')) === added.id, 2_000);
    expect(await first.getAttribute('class')).toContain('is-fresh');
    await tab.expectAccessible('a marked row');
    expect(await first.textContent()).toContain('9007199254740993.10');
    await until('the mark to go', async () => (await first.getAttribute('class')) === null);
    expect(await entryRows(page).count()).toBe(6);
    await page.getByText('6 entries', { exact: true }).waitFor();
    tab.expectQuiet();
  });

  browserTest('an empty list fills, and nothing is missed between the list and the stream', async () => {
    await using ground = await openGround(open, { path: '?action=block' });
    const { api, page, tab } = ground;
    await page.getByRole('heading', { name: 'No entry matches these filters' }).waitFor();
    api.add({ action: 'edit' });
    const block = api.add({ action: 'block' });
    await until('the entry', async () => (await entryRows(page).count()) === 1);
    expect(await entryRows(page).getAttribute('data-entry')).toBe(block.id);
    tab.expectQuiet();
  });

  browserTest(
    'the list does not move for somebody who reads further down, and shows how many entries wait',
    async () => {
      await using ground = await openGround(open, { entries: 60 });
      const { api, page, tab } = ground;
      await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
      await entryRows(page).nth(40).scrollIntoViewIfNeeded();
      const before = await page.evaluate(() => scrollY);
      const added = [api.add(), api.add(), api.add()];
      const button = page.getByRole('button', { name: '3 new entries' });
      await button.waitFor();
      expect(await page.evaluate(() => scrollY)).toBe(before);
      expect(await entryRows(page).count()).toBe(50);
      await tab.expectAccessible('waiting entries');
      await button.click();
      await until('the new rows', async () => (await entryRows(page).count()) === 53);
      expect(await entryRows(page).first().getAttribute('data-entry')).toBe(added[2]!.id);
      tab.expectQuiet();
    },
  );

  browserTest('the list can be paused, and resumes where it stopped', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).click();
    api.add();
    await page.getByRole('button', { name: '1 new entry' }).waitFor();
    expect(await entryRows(page).count()).toBe(5);
    await page.getByRole('button', { name: 'Live updates, paused' }).click();
    await until('the waiting row', async () => (await entryRows(page).count()) === 6);
    tab.expectQuiet();
  });

  browserTest(
    'entries that came while a dialog was open are shown after it is closed, if the list is at the top',
    async () => {
      await using ground = await openGround(open, { entries: 5 });
      const { api, page, tab } = ground;
      await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
      const dialog = page.getByRole('dialog');
      let shown = 5;
      for (const openDialog of [() => entryRows(page).nth(2).click(), () => page.keyboard.press('?')]) {
        await openDialog();
        await dialog.waitFor();
        const added = api.add();
        await page.locator('.new-entries').getByText('1 new entry').waitFor();
        expect(await entryRows(page).count()).toBe(shown);
        await page.keyboard.press('Escape');
        shown += 1;
        await until('the row that waited', async () => (await entryRows(page).count()) === shown);
        expect(await entryRows(page).first().getAttribute('data-entry')).toBe(added.id);
        expect(await page.locator('.new-entries').count()).toBe(0);
        expect(await dialog.count()).toBe(0);
      }
      const last = api.add();
      await page.waitForFunction((id) => document.querySelector(`tr[data-entry="${id}"]`) !== null, last.id);
      tab.expectQuiet();
    },
  );

  browserTest('closing a dialog does not move the list if it is paused or scrolled down', async () => {
    await using ground = await openGround(open, { entries: 60 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).click();
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    api.add();
    await page.locator('.new-entries').getByText('1 new entry').waitFor();
    await page.keyboard.press('Escape');
    await until('the dialog to close', async () => (await page.getByRole('dialog').count()) === 0);
    expect(await entryRows(page).count()).toBe(50);
    await entryRows(page).nth(40).scrollIntoViewIfNeeded();
    await page.getByRole('button', { name: 'Live updates, paused' }).evaluate((button) => {
      (button as HTMLElement).click();
    });
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await until('the dialog to close', async () => (await page.getByRole('dialog').count()) === 0);
    expect(await entryRows(page).count()).toBe(50);
    tab.expectQuiet();
  });

  browserTest('a broken stream reconnects and misses nothing', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    const first = api.add();
    await until('the first', async () => (await entryRows(page).count()) === 6);
    api.cutStreams({ refuse: true });
    await page.getByRole('button', { name: /^Live updates, reconnecting/ }).waitFor();
    api.add();
    const last = api.add();
    api.cutStreams({ refuse: false });
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    await until('the missed entries', async () => (await entryRows(page).count()) === 8);
    expect(await entryRows(page).first().getAttribute('data-entry')).toBe(last.id);
    const resumed = api.seen.filter(({ path }) => path === '/v1/entries/stream').at(-1)!;
    expect(resumed.body).toEqual({ views: [{ after: first.id }] });
    tab.expectQuiet({ except: /503|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION/ });
  });

  browserTest('more pages are loaded by keyboard, and the document stays small', async () => {
    await using ground = await openGround(open, { entries: 620, path: '?range=last-7-days' });
    const { page, tab } = ground;
    for (let shown = 50; shown <= 500; shown += 50) {
      await until(`${shown} rows`, async () => (await entryRows(page).count()) === shown);
      await page.getByRole('button', { name: 'Load more' }).focus();
      await page.keyboard.press('Enter');
    }
    await page.getByText('Newer entries are not shown').waitFor();
    expect(await entryRows(page).count()).toBe(500);
    const ids = await entryRows(page).evaluateAll((rows) =>
      rows.map((row) => row.getAttribute('data-entry')),
    );
    expect(new Set(ids).size).toBe(500);
    expect([...ids].sort().reverse()).toEqual(ids);
    await page.getByRole('button', { name: 'Show the newest' }).click();
    await until('the newest page', async () => (await entryRows(page).count()) === 50);
    tab.expectQuiet();
  });

  browserTest('many entries in a short time do not make the document grow without limit', async () => {
    await using ground = await openGround(open, { entries: 60 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
    let last = '';
    for (let batch = 0; batch < 12; batch += 1) {
      for (let index = 0; index < 60; index += 1) last = api.add().id;
      await page.waitForFunction((id) => document.querySelector(`tr[data-entry="${id}"]`) !== null, last);
      expect(await entryRows(page).count()).toBeLessThanOrEqual(500);
    }
    tab.expectQuiet();
  });
});
