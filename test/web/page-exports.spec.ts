import { readFile } from 'node:fs/promises';
import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, focused, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

describe('exports', () => {
  browserTest(
    'an export has the filters of the list, shows its progress, survives a reload and is downloaded',
    async () => {
      await using ground = await openGround(open, { entries: 20, path: '?modifier=7&action=block' });
      const { api, page, tab } = ground;
      await entryRows(page).first().waitFor();
      await page.getByRole('button', { name: 'Export', exact: true }).click();
      const dialog = page.getByRole('dialog', { name: 'Export entries' });
      await dialog.getByText('Modified by Dana Levi; action Block').waitFor();
      await tab.expectAccessible('export dialog');
      await dialog.getByLabel('Time zone of the dates in the file').selectOption('UTC');
      await dialog.getByRole('button', { name: 'Start export' }).click();

      const panel = page.getByRole('dialog', { name: 'Exports' });
      await panel.getByText('Waiting for a worker').waitFor();
      const asked = api.seen.find(({ method, path }) => method === 'POST' && path === '/v1/exports')!;
      expect(asked.body).toMatchObject({
        modifier: ['7'],
        action: ['block'],
        format: 'xlsx',
        timezone: 'UTC',
      });
      expect(asked.headers['idempotency-key']).toMatch(/^[\x21-\x7e]{32,}$/);
      await tab.expectAccessible('export waiting');

      api.exports.move({ state: 'running', progress: { done: 40, total: 120 } });
      await panel.getByText('40 of 120 entries').waitFor();
      expect(
        await panel.getByRole('progressbar').evaluate((bar: HTMLProgressElement) => bar.position),
      ).toBeCloseTo(1 / 3);
      await tab.expectAccessible('export running');
      await page.reload();
      await panel.getByText('40 of 120 entries').waitFor();

      api.exports.finish();
      await panel.getByText('Ready', { exact: true }).waitFor();
      await tab.expectAccessible('export ready');
      const downloading = page.waitForEvent('download');
      await panel.getByRole('button', { name: 'Download audit-trail.xlsx' }).click();
      const download = await downloading;
      expect(download.suggestedFilename()).toBe('audit-trail.xlsx');
      expect(await readFile(await download.path(), 'utf8')).toBe('the file');

      await panel.getByRole('button', { name: 'Delete this export' }).click();
      expect(await focused(page)).toBe('Delete it');
      await panel.getByRole('button', { name: 'Keep it' }).click();
      expect(await focused(page)).toBe('Delete this export');
      expect(api.exports.list).toHaveLength(1);
      await panel.getByRole('button', { name: 'Delete this export' }).click();
      await panel.getByRole('button', { name: 'Delete it' }).click();
      await panel.getByText('No exports yet.').waitFor();
      expect(api.exports.list).toHaveLength(0);
      expect(await focused(page)).toBe('Exports');
      tab.expectQuiet();
    },
  );

  browserTest(
    'a button shows how many exports run, and that one is ready although the panel was closed',
    async () => {
      await using ground = await openGround(open, { entries: 5 });
      const { api, page, tab } = ground;
      api.exports.put({ state: 'running', progress: { done: 1, total: 9 } });
      await page.reload();
      await page.getByRole('button', { name: 'Exports 1 running' }).waitFor();
      api.exports.finish();
      await page.getByRole('button', { name: 'Exports 1 new' }).waitFor();
      await page.getByText('The Excel export is ready to download.').waitFor({ state: 'attached' });
      await page.keyboard.press('x');
      await page.getByRole('dialog', { name: 'Exports' }).waitFor();
      await page.keyboard.press('Escape');
      expect(await focused(page)).toBe('Exports');
      tab.expectQuiet();
    },
  );

  browserTest(
    'progress is polled without an open connection, and an export that was deleted elsewhere disappears',
    async () => {
      await using ground = await openGround(open, { entries: 5 });
      const { api, page, tab } = ground;
      api.exports.put({ state: 'running', progress: { done: 1, total: 9 } });
      const removed = api.exports.put({ state: 'running', progress: { done: 2, total: 7 } });
      await page.goto(`${api.url}/?panel=exports`);
      await page.getByText('1 of 9 entries').waitFor();
      api.exports.move({ progress: { done: 5, total: 7 } }, removed.id);
      await page.getByText('5 of 7 entries').waitFor();
      await fetch(`${api.url}/v1/exports/${removed.id}`, {
        method: 'DELETE',
        headers: {
          cookie: (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join(),
        },
      });
      await until(
        'the removed one to go',
        async () => (await page.getByText('5 of 7 entries').count()) === 0,
      );
      api.exports.finish();
      await page.getByText('Ready', { exact: true }).waitFor();
      expect(api.seen.some(({ path }) => path.endsWith('/events'))).toBe(false);
      tab.expectQuiet({ except: /404/ });
    },
  );

  browserTest('a failed export shows the remedy', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    api.exports.put({
      state: 'failed',
      error: {
        title: 'There is no space left for the file',
        detail: 'The disk is full.',
        remedy: 'Free space in the export directory, then ask for the export again.',
      },
    });
    await page.goto(`${api.url}/?panel=exports`);
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('Free space in the export directory');
    await tab.expectAccessible('export failed');
    tab.expectQuiet();
  });

  browserTest('a refused request keeps the dialog open and shows the reason', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.getByRole('button', { name: 'Export', exact: true }).click();
    api.failWith('/v1/exports', {
      status: 503,
      title: 'The queue does not answer',
      remedy: 'Try again in a moment.',
    });
    await page.getByRole('button', { name: 'Start export' }).click();
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain('Try again in a moment.');
    api.failWith('/v1/exports', null);
    await page.getByRole('button', { name: 'Start export' }).click();
    await page.getByRole('dialog', { name: 'Exports' }).waitFor();
    expect(api.exports.list).toHaveLength(1);
    tab.expectQuiet({ except: /503/ });
  });
});
