import { describe, expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

const live = (page: Page) => page.getByRole('button', { name: /^Live updates, live/ });
const problems = (page: Page) => page.locator('.problem');

describe('after the server did not answer for a while', () => {
  browserTest('the page is live, has everything that it missed, and shows no problem', async () => {
    await using ground = await openGround(open, { entries: 60 });
    const { api, page } = ground;
    await live(page).waitFor();
    await page.evaluate(() => Object.assign(globalThis, { isSamePage: true }));
    await api.down();
    await page.getByRole('button', { name: /^Live updates, reconnecting/ }).waitFor();
    // Every request fails now, and the page shows that.
    await page.getByRole('button', { name: 'Load more' }).click();
    await problems(page).getByText('Waltrail does not answer').waitFor();
    const missed = [api.add(), api.add()];
    await api.up();
    await live(page).waitFor();
    await page.evaluate(() => scrollTo({ top: 0 }));
    for (const { id } of missed) await page.locator(`tr[data-entry="${id}"]`).waitFor();
    await until('the page that was asked for', async () => (await entryRows(page).count()) === 62);
    expect(await problems(page).count()).toBe(0);
    await page.getByText('62 entries', { exact: true }).waitFor();
    expect(await page.evaluate(() => 'isSamePage' in globalThis)).toBe(true);
  });

  browserTest('a list that failed to load is loaded, with its counts, gaps and exports', async () => {
    await using ground = await openGround(open, { entries: 10 });
    const { api, page } = ground;
    await live(page).waitFor();
    api.addGap();
    await api.down();
    await page.getByRole('button', { name: /^Action/ }).click();
    await page.keyboard.press('Escape');
    await page.evaluate(() => {
      history.pushState(null, '', '?action=block');
      dispatchEvent(new PopStateEvent('popstate'));
    });
    await problems(page).first().waitFor();
    await api.up();
    await live(page).waitFor();
    await entryRows(page).first().waitFor();
    await page.getByRole('alert').getByText('The trail may be incomplete').waitFor();
    expect(await page.getByText('Waltrail does not answer').count()).toBe(0);
    await page
      .locator('.summary strong')
      .getByText(/\d+ entr/)
      .waitFor();
  });

  browserTest('an entry that failed to open is shown', async () => {
    await using ground = await openGround(open, { entries: 80 });
    const { api, page } = ground;
    await live(page).waitFor();
    const oldest = await page.evaluate(async () => {
      const answer = await fetch('/v1/entries?limit=500');
      return ((await answer.json()) as { items: { id: string }[] }).items.at(-1)!.id;
    });
    await api.down();
    await page.evaluate((id) => {
      history.pushState(null, '', `?entry=${id}`);
      dispatchEvent(new PopStateEvent('popstate'));
    }, oldest);
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Waltrail does not answer').waitFor();
    await api.up();
    await dialog.getByRole('table').first().waitFor();
    expect(await dialog.getByText('Waltrail does not answer').count()).toBe(0);
  });

  browserTest('a page that was opened in that time signs in by its cookie', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page } = ground;
    await live(page).waitFor();
    api.failWith('/v1/session', { status: 502, title: 'Bad gateway' });
    await page.reload();
    await page.getByRole('alert').getByText('Bad gateway').waitFor();
    api.failWith('/v1/session', null);
    await live(page).waitFor();
    expect(await page.getByText('Bad gateway').count()).toBe(0);
  });
});

browserTest('a request that keeps failing while others succeed is retried less and less often', async () => {
  await using ground = await openGround(open, { entries: 5 });
  const { api, page } = ground;
  await live(page).waitFor();
  api.failWith('/v1/entries', { status: 503, title: 'The trail does not answer' });
  await page.evaluate(() => {
    history.pushState(null, '', '?action=block');
    dispatchEvent(new PopStateEvent('popstate'));
  });
  await problems(page).getByText('The trail does not answer').waitFor();
  const before = api.seen.length;
  await page.waitForTimeout(5_000);
  // Retries come immediately, after one second and after two, each with the other requests of a list.
  expect(api.seen.length - before).toBeLessThan(15);
  api.failWith('/v1/entries', null);
  await entryRows(page).first().waitFor();
  await until('the problem to be over', async () => (await problems(page).count()) === 0);
});

browserTest('a page without a network recovers as soon as the network is available', async () => {
  await using ground = await openGround(open, { entries: 5 });
  const { api, page } = ground;
  await live(page).waitFor();
  const context = page.context();
  await context.setOffline(true);
  api.cutStreams({ refuse: true });
  await page.getByRole('button', { name: /^Live updates, (?:reconnecting|not known)/ }).waitFor();
  // The pause covers several attempts, so that the next one would be far away.
  const missed = api.add();
  await page.waitForTimeout(8_000);
  api.cutStreams({ refuse: false });
  await context.setOffline(false);
  const began = Date.now();
  await page.locator(`tr[data-entry="${missed.id}"]`).waitFor();
  await live(page).waitFor();
  expect(Date.now() - began).toBeLessThan(6_000);
  expect(await problems(page).count()).toBe(0);
});

browserTest('a list that was disconnected for longer than a stream can resume is loaded again', async () => {
  await using ground = await openGround(open, { entries: 5 });
  const { api, page } = ground;
  await live(page).waitFor();
  const other = await page.context().newPage();
  await other.goto(`${api.url}/?action=block`);
  await live(other).waitFor();
  const lists = (): number => api.seen.filter(({ path }) => path === '/v1/entries').length;
  const before = lists();
  await api.down();
  const [missed, block] = [api.add({ action: 'edit' }), api.add({ action: 'block' })];
  api.resumeFrom(missed.id);
  await api.up();
  for (const each of [page, other]) {
    await each.locator(`tr[data-entry="${block.id}"]`).waitFor();
    await live(each).waitFor();
  }
  await page.locator(`tr[data-entry="${missed.id}"]`).waitFor();
  expect(lists()).toBe(before + 2);
  const next = api.add({ action: 'block' });
  for (const each of [page, other]) await each.locator(`tr[data-entry="${next.id}"]`).waitFor();
});
