import { describe, expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import type { MockApi, Seen } from '../support/mock-api.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();
const STREAM = '/v1/entries/stream';
/** Number of connections that a browser opens to one server over HTTP/1.1. */
const CONNECTIONS = 6;
/** Without one shared connection, a tab would wait for as long as the others are open. */
const SOON_MS = 5_000;

const live = (page: Page) => page.getByRole('button', { name: /^Live updates, live/ });
const has = (page: Page, id: string): Promise<void> =>
  page.locator(`tr[data-entry="${id}"]`).waitFor({ timeout: SOON_MS });
const streams = (api: MockApi): readonly Seen[] => api.seen.filter(({ path }) => path === STREAM);

/** Opens another tab of the same browser, which has the same cookie. */
async function anotherTab(page: Page, url: string): Promise<Page> {
  const tab = await page.context().newPage();
  tab.setDefaultTimeout(SOON_MS);
  await tab.goto(url);
  await entryRows(tab).first().waitFor();
  return tab;
}

/** Makes the page think that it is hidden or visible. */
const setHidden = (page: Page, hidden: boolean): Promise<void> =>
  page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);

describe('tabs of one browser', () => {
  browserTest('are all live on one connection, load immediately, and load more pages', async () => {
    await using ground = await openGround(open, { entries: 120 });
    const { api, page, tab } = ground;
    const tabs = [page];
    for (let index = 1; index <= CONNECTIONS; index += 1) {
      const began = Date.now();
      tabs.push(await anotherTab(page, api.url));
      expect(Date.now() - began).toBeLessThan(SOON_MS);
    }
    for (const each of tabs) {
      await live(each).waitFor();
      await each.getByRole('button', { name: 'Load more' }).click();
      await until('the next page', async () => (await entryRows(each).count()) === 100, SOON_MS);
      await each.evaluate(() => scrollTo({ top: 0 }));
    }
    await until('one connection', () => api.openStreams() === 1);
    const added = api.add();
    for (const each of tabs) await has(each, added.id);
    await until('one connection', () => api.openStreams() === 1);
    // Lists with equal filters share one view.
    expect(streams(api).at(-1)!.body).toMatchObject({ views: [{ after: expect.any(String) }] });
    tab.expectQuiet();
  });

  browserTest('find what matches their own filters, and nothing twice', async () => {
    await using ground = await openGround(open, { entries: 20, path: '?action=block' });
    const { api, page } = ground;
    await live(page).waitFor();
    const tags = await anotherTab(page, `${api.url}/?action=tag`);
    const all = await anotherTab(page, api.url);
    for (const each of [tags, all]) await live(each).waitFor();
    await until('one connection', () => api.openStreams() === 1);
    const counts = await Promise.all([page, tags, all].map((each) => entryRows(each).count()));
    const block = api.add({ action: 'block' });
    const tag = api.add({ action: 'tag' });
    const edit = api.add({ action: 'edit' });
    await has(page, block.id);
    await has(tags, tag.id);
    for (const { id } of [block, tag, edit]) await has(all, id);
    expect(await Promise.all([page, tags, all].map((each) => entryRows(each).count()))).toEqual([
      counts[0]! + 1,
      counts[1]! + 1,
      counts[2]! + 3,
    ]);
    expect(streams(api).at(-1)!.body).toMatchObject({
      views: [{ action: ['block'] }, { action: ['tag'] }, {}],
    });

    // Changing the filter of one tab does not change the others.
    await tags.goto(`${api.url}/?action=close`);
    await live(tags).waitFor();
    const close = api.add({ action: 'close' });
    await has(tags, close.id);
    await has(all, close.id);
    expect(await entryRows(page).count()).toBe(counts[0]! + 1);
  });

  browserTest('stay live when the first one is closed', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page } = ground;
    await live(page).waitFor();
    const second = await anotherTab(page, api.url);
    const third = await anotherTab(page, `${api.url}/?action=block`);
    for (const each of [second, third]) await live(each).waitFor();
    await page.close();
    const added = api.add({ action: 'block' });
    for (const each of [second, third]) await has(each, added.id);
    await until('one connection', () => api.openStreams() === 1);
  });

  browserTest('resume where they were when the worker with the connection crashes', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page } = ground;
    await live(page).waitFor();
    const second = await anotherTab(page, `${api.url}/?action=block`);
    await live(second).waitFor();
    const seen = api.add({ action: 'block' });
    for (const each of [page, second]) await has(each, seen.id);
    const cdp = await page.context().browser()!.newBrowserCDPSession();
    const { targetInfos } = await cdp.send('Target.getTargets');
    const worker = targetInfos.find(({ type, url }) => type === 'shared_worker' && url.startsWith(api.url));
    expect(worker).toBeDefined();
    await cdp.send('Target.closeTarget', { targetId: worker!.targetId });
    await until('the connection to end', () => api.openStreams() === 0);
    const missed = [api.add({ action: 'block' }), api.add({ action: 'block' })];
    for (const each of [page, second])
      for (const { id } of missed) await each.locator(`tr[data-entry="${id}"]`).waitFor();
    for (const each of [page, second]) await live(each).waitFor();
    await until('one connection', () => api.openStreams() === 1);
    for (const each of [page, second]) {
      const ids = await entryRows(each).evaluateAll((all) =>
        all.map((row) => row.getAttribute('data-entry')),
      );
      expect(new Set(ids).size).toBe(ids.length);
      expect([...ids].sort().reverse()).toEqual(ids);
    }
  });

  browserTest('are signed out and in together, and do not see entries of the previous person', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page } = ground;
    await live(page).waitFor();
    const second = await anotherTab(page, api.url);
    await live(second).waitFor();
    await second.getByRole('button', { name: 'Sign out' }).click();
    for (const each of [page, second]) await each.getByLabel('Access token or sign-in code').waitFor();
    await until('no connection', () => api.openStreams() === 0);
    await second.getByLabel('Access token or sign-in code').fill(api.tokens.viewer);
    await second.keyboard.press('Enter');
    for (const each of [page, second]) {
      await each.getByText('Guest').waitFor();
      await live(each).waitFor();
    }
    const added = api.add();
    for (const each of [page, second]) await has(each, added.id);
    await until('one connection', () => api.openStreams() === 1);

    // Another person signs in: the stream of the previous one ends.
    const third = await page.context().newPage();
    await third.goto(`${api.url}/#signin=${encodeURIComponent(api.tokens.admin)}`);
    for (const each of [page, second, third]) await each.getByText('Dana (compliance)').waitFor();
    await until('one connection', () => api.openStreams() === 1);
    const cookies = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    expect(streams(api).at(-1)!.headers.cookie).toBe(cookies);
  });

  browserTest(
    'an eleventh list states that it is not live, and becomes live automatically when another one ends',
    async () => {
      await using ground = await openGround(open, { entries: 20, path: '?q=list-0' });
      const { api, page } = ground;
      await live(page).waitFor();
      const tabs = [page];
      for (let index = 1; index < 10; index += 1) {
        const tab = await page.context().newPage();
        await tab.goto(`${api.url}/?q=list-${index}`);
        await live(tab).waitFor();
        tabs.push(tab);
      }
      const eleventh = await anotherTab(page, api.url);
      const note = eleventh.getByText('This list is not live.');
      await note.waitFor();
      expect(await note.locator('..').textContent()).toContain('Close the tab of one of them');
      expect(await eleventh.locator('.live').textContent()).toBe('Not live');
      for (const each of tabs) expect(await live(each).count()).toBe(1);
      const missed = api.add();
      await tabs[4]!.close();
      await has(eleventh, missed.id);
      await live(eleventh).waitFor();
      expect(await note.count()).toBe(0);
      const added = api.add();
      await has(eleventh, added.id);
      await until('one connection', () => api.openStreams() === 1);
    },
  );

  browserTest(
    'stop following while hidden, and have everything that they missed when they are visible again',
    async () => {
      await using ground = await openGround(open, { entries: 5 });
      const { api, page } = ground;
      await page.clock.install();
      await page.reload();
      await live(page).waitFor();
      await setHidden(page, true);
      await page.clock.fastForward(31_000);
      await until('no connection', () => api.openStreams() === 0);
      const missed = api.add();
      await setHidden(page, false);
      await has(page, missed.id);
    },
  );
});

describe('tabs of a browser without shared workers', () => {
  browserTest('have a connection each, which a hidden one closes immediately', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page } = ground;
    await page.context().addInitScript(() => {
      Reflect.deleteProperty(globalThis, 'SharedWorker');
    });
    await page.reload();
    await live(page).waitFor();
    const tabs = [page];
    for (let index = 1; index <= CONNECTIONS; index += 1) {
      await setHidden(tabs.at(-1)!, true);
      await until('the hidden one to let go', () => api.openStreams() === 0);
      tabs.push(await anotherTab(page, api.url));
      await live(tabs.at(-1)!).waitFor();
    }
    await until('one connection', () => api.openStreams() === 1);
    const added = api.add();
    await has(tabs.at(-1)!, added.id);
    await setHidden(tabs[2]!, false);
    await has(tabs[2]!, added.id);

    // A tab that was opened in the background has never been visible.
    const unseen = await page.context().newPage();
    await unseen.addInitScript(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    });
    await unseen.goto(api.url);
    await entryRows(unseen).first().waitFor();
    await until('it to let go', () => api.openStreams() === 2);
    const later = api.add();
    await setHidden(unseen, false);
    await has(unseen, later.id);
  });
});
