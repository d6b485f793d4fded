import { expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, openGround } from '../support/page.ts';

const open = sharedBrowser();

browserTest('an old entry leads to its neighbours, and to the whole history of its entity', async () => {
  await using ground = await openGround(open, { entries: 2 });
  const { api, page, tab } = ground;
  await entryRows(page).first().waitFor();
  const old = Array.from({ length: 25 }, (_, index) =>
    api.add({
      committedAt: `2026-03-02T09:${String(index + 10)}:00.000000Z`,
      entity: { type: 'invoice', name: 'Invoice 7', id: '7' },
    }),
  );
  await page.goto(`${api.url}/?tz=UTC&entry=${old[3]!.id}`);
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('button', { name: 'All changes of this invoice' }).click();
  await drawer.locator('.history li').first().waitFor();
  expect(await drawer.locator('.history li').count()).toBe(20);
  await drawer.getByRole('button', { name: 'Older changes' }).click();
  await drawer.getByText('The trail has no older changes.').waitFor();
  expect(await drawer.locator('.history li').count()).toBe(25);
  expect(await drawer.locator('.history li[aria-current=true] time').textContent()).toBe(
    '2026-03-02 09:13:00',
  );
  await tab.expectAccessible('history');
  await drawer.locator('.history li a').last().click();
  await drawer.getByText('2026-03-02 09:10:00.000000').first().waitFor();

  await page.goto(`${api.url}/?tz=UTC&entry=${old[3]!.id}`);
  await drawer.getByRole('button', { name: 'Show it in the list' }).click();
  await page.locator(`tr[data-entry="${old[3]!.id}"]`).waitFor({ state: 'attached' });
  await drawer.getByRole('button', { name: 'Older entry' }).click();
  await drawer.getByText('2026-03-02 09:12:00.000000').first().waitFor();
  tab.expectQuiet();
});

browserTest('nothing is offered that cannot be asked about the id of an entity', async () => {
  await using ground = await openGround(open, { entries: 2 });
  const { api, page, tab } = ground;
  const history = page.getByRole('button', { name: 'All changes of this invoice' });
  const list = page.getByRole('button', { name: /days of this invoice$/ });
  const offered = async (id: string): Promise<[boolean, boolean]> => {
    const { id: entry } = api.add({ entity: { type: 'invoice', name: 'Invoice', id } });
    await page.goto(`${api.url}/?tz=UTC&entry=${entry}`);
    await page.getByRole('button', { name: 'Copy link' }).waitFor();
    return [await history.isVisible(), await list.isVisible()];
  };
  expect(await offered('...')).toEqual([true, true]);
  // A browser takes these for steps of the path, and would ask for something else.
  expect(await offered('.')).toEqual([false, true]);
  expect(await offered('..')).toEqual([false, true]);
  // An empty filter is none: every entity would be listed as this one.
  expect(await offered('')).toEqual([false, false]);
  tab.expectQuiet();
});
