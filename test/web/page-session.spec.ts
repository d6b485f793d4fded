import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { startMockApi } from '../support/mock-api.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();
/** Chromium logs every 401 and every broken stream on the console. This cannot be turned off. */
const UNAUTHORIZED = /401 \(Unauthorized\)|ERR_INCOMPLETE_CHUNKED/;

describe('signing in', () => {
  browserTest('the link signs in, and its code leaves the URL and the history', async () => {
    await using api = await startMockApi({ entries: 3 });
    await using tab = await open();
    await tab.page.goto(`${api.url}/?action=block#signin=${encodeURIComponent(api.tokens.code)}`);
    await entryRows(tab.page).first().waitFor();
    expect(tab.page.url()).toBe(`${api.url}/?action=block`);
    expect(await tab.page.evaluate(() => history.length)).toBeLessThanOrEqual(2);
    expect(await tab.page.evaluate(() => document.cookie)).toBe('');
    expect(api.seen.find(({ method }) => method === 'POST')?.body).toEqual({ token: api.tokens.code });
    tab.expectQuiet();
  });

  browserTest('a used code is refused in a sentence, and a token typed afterwards signs in', async () => {
    await using api = await startMockApi({ entries: 3 });
    await using tab = await open();
    const { page } = tab;
    await page.goto(`${api.url}/#signin=stale`);
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('The token is not valid');
    expect(await alert.textContent()).toContain('Ask the operator of Waltrail for a new token.');
    await tab.expectAccessible('refused sign-in');

    await page.getByLabel('Access token or sign-in code').fill('');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Type or paste a token first.').waitFor();
    await tab.expectAccessible('sign-in without a token');

    await page.getByLabel('Access token or sign-in code').fill(`  ${api.tokens.admin} `);
    await page.keyboard.press('Enter');
    await entryRows(page).first().waitFor();
    expect(await page.getByText('Dana (compliance)').isVisible()).toBe(true);
    tab.expectQuiet({ except: UNAUTHORIZED });
  });

  browserTest('a used link keeps the current session, and shows a notice', async () => {
    await using api = await startMockApi({ entries: 3 });
    await using tab = await open();
    const { page } = tab;
    const link = `${api.url}/#signin=${encodeURIComponent(api.tokens.code)}`;
    await page.goto(link);
    await entryRows(page).first().waitFor();
    await page.goto('about:blank');
    await page.goto(link);
    await entryRows(page).first().waitFor();
    const notice = page.locator('.notice', { hasText: 'The sign-in link was not accepted' });
    await notice.waitFor();
    expect(await notice.textContent()).toContain('You are still signed in.');
    expect(page.url()).toBe(`${api.url}/`);
    await tab.expectAccessible('a used link while signed in');
    await page.getByRole('button', { name: 'Dismiss this notice' }).click();
    await until('the notice to go', async () => (await notice.count()) === 0);
    tab.expectQuiet({ except: UNAUTHORIZED });
  });

  browserTest('a link pasted into an open tab signs in', async () => {
    await using api = await startMockApi({ entries: 3 });
    await using tab = await open();
    const { page } = tab;
    const paste = (code: string): Promise<void> =>
      page.evaluate(
        (hash) => {
          location.hash = hash;
        },
        `#signin=${encodeURIComponent(code)}`,
      );
    await page.goto(api.url);
    await page.getByLabel('Access token or sign-in code').waitFor();
    await paste(api.tokens.code);
    await entryRows(page).first().waitFor();
    expect(page.url()).toBe(`${api.url}/`);

    // The same link again, now used: only a notice appears.
    await paste(api.tokens.code);
    await page.locator('.notice', { hasText: 'You are still signed in.' }).waitFor();
    expect(page.url()).toBe(`${api.url}/`);
    expect(await entryRows(page).count()).toBe(3);

    // A link of another person signs them in instead.
    await paste(api.tokens.viewer);
    await page.getByText('Guest').waitFor();
    tab.expectQuiet({ except: UNAUTHORIZED });
  });

  browserTest('an ended session leads to the sign-in, and keeps the view', async () => {
    await using ground = await openGround(open, { entries: 30, path: '?action=block' });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    api.endSessions();
    await page.getByText('Your session has ended').waitFor();
    expect(page.url()).toBe(`${api.url}/?action=block`);
    await tab.expectAccessible('ended session');
    await page.getByLabel('Access token or sign-in code').fill(api.tokens.admin);
    await page.keyboard.press('Enter');
    await entryRows(page).first().waitFor();
    expect(await page.getByRole('button', { name: 'Remove filter Action: Block' }).isVisible()).toBe(true);
    tab.expectQuiet({ except: UNAUTHORIZED });
  });

  browserTest('signing out ends the session on the server, and a reload stays signed out', async () => {
    await using ground = await openGround(open, { entries: 3 });
    const { api, page, tab } = ground;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    expect(api.seen.some(({ method, path }) => method === 'DELETE' && path === '/v1/session')).toBe(true);
    await page.reload();
    await page.getByLabel('Access token or sign-in code').waitFor();
    tab.expectQuiet({ except: UNAUTHORIZED });
  });

  browserTest('a server that does not answer leads to another message than an invalid token', async () => {
    await using ground = await openGround(open, { entries: 3 });
    const { page } = ground;
    await ground.page.context().setOffline(true);
    await page.getByRole('button', { name: 'Sign out' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'Waltrail does not answer' });
    await alert.waitFor();
    expect(await alert.textContent()).toContain('Check your network');
  });

  browserTest('a viewer cannot export, and sees the reason', async () => {
    await using ground = await openGround(open, { entries: 3, as: 'viewer' });
    const { api, page, tab } = ground;
    const button = page.getByRole('button', { name: 'Export', exact: true });
    await button.focus();
    expect(await button.getAttribute('aria-disabled')).toBe('true');
    await page.getByRole('tooltip').waitFor();
    expect(await page.getByRole('tooltip').textContent()).toContain('role “exporter”');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await page.getByRole('button', { name: /^Exports/ }).count()).toBe(0);
    expect(api.seen.some(({ path }) => path.startsWith('/v1/exports'))).toBe(false);
    await tab.expectAccessible('viewer');
    tab.expectQuiet();
  });
});
