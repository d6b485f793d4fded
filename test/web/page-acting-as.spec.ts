import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import type { NewEntry } from '../support/mock-entries.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

const ann = { key: '3', name: 'Ann Admin', kind: 'agent', rung: 'message' };
const bob = { key: 'contacts:7', name: 'Bob Customer', kind: 'agent' };
const eve = { key: 'contacts:9', name: 'Eve Customer', kind: 'agent' };
const acting: readonly NewEntry[] = [
  { modifier: { ...ann, actingAs: bob } },
  { modifier: { ...ann, actingAs: eve } },
  { modifier: ann },
];

describe('an entry of somebody who acted for another person', () => {
  browserTest('names both in the table, the detail and the history', async () => {
    await using ground = await openGround(open);
    const { api, page, tab } = ground;
    for (const entry of acting) api.add(entry);
    await until('the rows', async () => (await entryRows(page).count()) === 3);
    expect(await page.locator('.cell-modifier').allTextContents()).toEqual([
      'Ann AdminAgentnamed by the application',
      'Ann AdminAgentacting as Eve Customernamed by the application',
      'Ann AdminAgentacting as Bob Customernamed by the application',
    ]);
    await tab.expectAccessible('a table with people who act as others');

    await entryRows(page).filter({ hasText: 'acting as Bob Customer' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('acting as Bob Customer').first().waitFor();
    const fact = dialog.locator('.facts > div').filter({ has: page.getByText('Acting as', { exact: true }) });
    expect(await fact.textContent()).toContain('Bob CustomerAgent contacts:7');
    expect(await fact.textContent()).toContain('in the name of this person');
    await tab.expectAccessible('detail of somebody who acts as another');
    tab.expectQuiet();
  });

  browserTest(
    'is found by the person acted for, in a list that exists only if there are such entries',
    async () => {
      await using ground = await openGround(open, { entries: 20 });
      const { api, page, tab } = ground;
      await entryRows(page).first().waitFor();
      const list = page.getByRole('button', { name: /^Acting as/ });
      await page.getByRole('button', { name: /^Modified by/ }).waitFor();
      expect(await list.count()).toBe(0);
      for (const entry of acting) api.add(entry);
      await list.waitFor();
      await list.click();
      const options = page.getByRole('listbox').getByRole('option');
      await until('both', async () => (await options.count()) === 2);
      await page.getByRole('option', { name: /Bob Customer Agent 1 entries/ }).click();
      await page.keyboard.press('Escape');
      await until('one entry', async () => (await entryRows(page).count()) === 1);
      expect(new URL(page.url()).search).toBe('?actingAs=contacts%3A7');
      const chips = page.getByRole('list', { name: 'Active filters' }).getByRole('button');
      expect(await chips.allTextContents()).toEqual(['Acting as Bob Customer']);
      await tab.expectAccessible('filtered by whom somebody acted as');
      // The modifier is the person who acted, so all three entries are Ann's.
      await page.getByRole('button', { name: 'Remove filter Acting as: Bob Customer' }).click();
      await page.goto(`${new URL(page.url()).origin}/?modifier=3`);
      await until("all of Ann's", async () => (await entryRows(page).count()) === 3);
      tab.expectQuiet();
    },
  );
});
