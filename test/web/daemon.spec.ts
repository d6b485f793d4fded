import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as xlsx from '@e965/xlsx';
import { describe, expect } from '@jest/globals';
import pg from 'pg';
import type { Page } from 'playwright-core';
import { createToken } from '../../src/admin/auth/tokens.js';
import { silentLog } from '../../src/log.js';
import { startDaemon } from '../../src/main.js';
import { readSettings, ROLES } from '../../src/settings.js';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { applyTracking, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { entryRows } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser({ whole: true });
const SAMPLE_YAML = path.resolve(import.meta.dirname, '../../config/sample.yaml');

interface DaemonGround extends AsyncDisposable {
  readonly url: string;
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  /** A one-time sign-in code for an administrator. */
  readonly code: string;
}

/**
 * Starts the real daemon with all its roles, on the sample CRM and with the tracking rules of
 * config/sample.yaml.
 */
async function daemonOnCrm(): Promise<DaemonGround> {
  const source = await freshDatabase('crm');
  const trail = await freshDatabase('trail');
  const dataDir = await mkdtemp(path.join(os.tmpdir(), 'waltrail-web-'));
  const yaml = await readFile(SAMPLE_YAML, 'utf8');
  const config = testConfig({ source, trail, yaml: yaml.slice(yaml.indexOf('\nreports:')) });
  await applyTracking(config);
  const daemon = await startDaemon({
    settings: readSettings({ WALTRAIL_PORT: '0', WALTRAIL_DATA_DIR: dataDir }),
    config,
    roles: ROLES,
    log: silentLog,
  });
  const pool = new pg.Pool({ connectionString: trail.url, max: 1 });
  const code = await createToken(pool, { name: 'Dana (compliance)', role: 'admin', singleUse: true });
  await pool.end();
  await daemon.ready;
  return {
    url: daemon.url,
    source,
    trail,
    code,
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      await source[Symbol.asyncDispose]();
      await trail[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The visible text of the cells of a row. */
const cells = (page: Page, row: number): Promise<string[]> =>
  entryRows(page)
    .nth(row)
    .locator('td')
    .evaluateAll((all) => all.map((cell) => (cell as HTMLElement).innerText.replace(/\s+/g, ' ').trim()));

describe('the page on the real daemon', () => {
  browserTest(
    'shows a change of the source live; it can be filtered, read in detail, exported and opened in Excel',
    async () => {
      await using ground = await daemonOnCrm();
      await using tab = await open({ acceptDownloads: true });
      const { page } = tab;
      const { source, trail } = ground;

      // The link signs in, once.
      await page.goto(`${ground.url}/#signin=${encodeURIComponent(ground.code)}`);
      await page.getByRole('button', { name: /^Live updates, live/ }).waitFor();
      expect(page.url()).toBe(`${ground.url}/`);

      // A change by a person appears without a reload.
      const before = Date.now();
      await source.query(
        `update public.agents set blocked = true,
                updated_by = (select id from public.agents where full_name = 'Dana Levi')
          where full_name = 'Omer Katz'`,
      );
      await entryRows(page).filter({ hasText: 'Omer Katz' }).waitFor();
      expect(Date.now() - before).toBeLessThan(3_000);
      const [, modifier, action, type, entity, previous, updated] = await cells(page, 0);
      expect(modifier).toContain('Dana Levi Agent');
      expect([action, type, previous, updated]).toEqual(['Block', 'Agent', 'blocked false', 'blocked true']);
      expect(entity).toContain('Omer Katz');

      // A change by a bot with an exact number, and an unattributed change.
      await source.query(
        `update public.customers set balance = 1234567890.10, attributes = attributes || '{"tier": {"level": 12345678901234567890}}',
                updated_by = (select id from public.agents where full_name = 'Tagging bot')
          where id = (select min(id) from public.customers)`,
      );
      await source.query(
        `update public.settings set value = '"x"', updated_by = null where key = (select min(key) from public.settings) and organization_id = 1`,
      );
      await untilCaughtUp(source, trail);
      await until('three rows', async () => (await entryRows(page).count()) >= 3);
      await tab.expectAccessible('the list of the daemon');

      // The list is filtered to the bot, and its change is read field by field.
      await page.getByRole('button', { name: /^Modified by/ }).click();
      await page.getByRole('option', { name: /Tagging bot Bot 1 entries/ }).click();
      await page.keyboard.press('Escape');
      await until('the bot alone', async () => (await entryRows(page).count()) === 1);
      await entryRows(page).click();
      const detail = page.getByRole('dialog');
      await detail.getByRole('rowheader', { name: 'balance' }).waitFor();
      expect(await detail.getByRole('row', { name: /^balance/ }).textContent()).toContain('1234567890.10');
      expect(await detail.getByRole('row', { name: /^attributes/ }).textContent()).toContain(
        '12345678901234567890',
      );
      expect(await detail.textContent()).toContain('public.customers');
      await tab.expectAccessible('detail on the daemon');
      await page.keyboard.press('Escape');

      // Unattributed entries are filtered.
      await page.goto(`${ground.url}/?modifier=unattributed`);
      await until('the unattributed change', async () => (await entryRows(page).count()) === 1);
      expect((await cells(page, 0)).slice(1, 4)).toEqual(['Unattributed nobody was named', 'Set', 'Setting']);

      // A range over the limit is explained.
      await page.goto(`${ground.url}/?from=2026-01-01T00:00:00Z&to=2026-01-09T00:00:00Z`);
      await page.getByText('This range is 8 days long. A report covers at most 7 days.').waitFor();

      // An export is started, the page is reloaded, and the file is downloaded.
      await page.goto(`${ground.url}/?action=block`);
      await entryRows(page).waitFor();
      await page.getByRole('button', { name: 'Export', exact: true }).click();
      await page.getByRole('button', { name: 'Start export' }).click();
      await page.getByRole('dialog', { name: 'Exports' }).waitFor();
      await page.reload();
      const link = page.getByRole('button', { name: /^Download / });
      await link.waitFor();
      const downloading = page.waitForEvent('download');
      await link.click();
      const book = xlsx.read(await readFile(await (await downloading).path()), {
        type: 'buffer',
        cellDates: true,
      });
      const text = book.SheetNames.map((name) =>
        JSON.stringify(xlsx.utils.sheet_to_json(book.Sheets[name]!, { header: 1 })),
      );
      expect(text.join()).toContain('Dana Levi');
      const rows = text.filter((sheet) => sheet.includes('Omer Katz'));
      expect(rows).toHaveLength(1);
      expect(rows[0]).toContain('block');
      expect(rows[0]).not.toContain('Tagging bot');

      await page.getByRole('button', { name: /Delete.*this export/ }).click();
      await page.getByRole('button', { name: 'Delete it' }).click();
      await page.getByText('No exports yet.').waitFor();
      tab.expectQuiet();
    },
  );

  browserTest(
    'keeps seven tabs live on one stream, and the access record states what each list followed',
    async () => {
      await using ground = await daemonOnCrm();
      await using tab = await open();
      const { page } = tab;
      await page.goto(`${ground.url}/#signin=${encodeURIComponent(ground.code)}`);
      const tabs: Page[] = [page];
      const live = (each: Page) => each.getByRole('button', { name: /^Live updates, live/ });
      await live(page).waitFor();
      for (const path of [
        '',
        '?action=block',
        '?q=katz',
        '?entityType=agent',
        '?action=block',
        '?modifier=',
      ]) {
        const next = await page.context().newPage();
        tabs.push(next);
        await next.goto(`${ground.url}/${path}`);
        await live(next).waitFor();
      }
      await ground.source.query(
        `update public.agents set blocked = true,
                updated_by = (select id from public.agents where full_name = 'Dana Levi')
          where full_name = 'Omer Katz'`,
      );
      for (const each of tabs.slice(0, 6))
        await entryRows(each).filter({ hasText: 'Omer Katz' }).first().waitFor();
      const opened = await ground.trail.query<{ filters: { views: object[] } }>(
        `select filters from trail.access where route = 'POST /v1/entries/stream' and delivered is null order by at`,
      );
      const last = opened.at(-1)!.filters.views.map((view) => ({ ...view, after: undefined }));
      expect(last).toEqual(
        expect.arrayContaining([{}, { action: ['block'] }, { q: 'katz' }, { entityType: ['agent'] }]),
      );
      for (const each of tabs) await each.close();
      await until('what was delivered', async () => {
        const delivered = await ground.trail.query(
          `select 1 from trail.access where action = 'watch' and delivered is not null and filters ->> 'q' = 'katz'`,
        );
        return delivered.length === 1;
      });
      // Gaps are recorded once for each tab. Requests of the status are not recorded.
      const gaps = await ground.trail.query(`select 1 from trail.access where route = 'GET /v1/gaps'`);
      expect(gaps).toHaveLength(tabs.length);
      tab.expectQuiet();
    },
  );
});
