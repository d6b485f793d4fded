import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, focused, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

describe('the detail of an entry', () => {
  browserTest(
    'shows every field before and after, and distinguishes the kinds of missing values',
    async () => {
      await using ground = await openGround(open, { entries: 10 });
      const { page, tab } = ground;
      await entryRows(page).filter({ hasText: 'Rivka Stern' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('heading', { name: 'Edit: customer Rivka Stern' }).waitFor();
      const cells = await dialog
        .getByRole('table')
        .getByRole('row')
        .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
      expect(cells).toEqual([
        ['Column', 'Previous value', 'Updated value'],
        ['balance', '1200.50', '98765432109876543210.10'],
        ['phone', '+972 3 555 0188', 'null'],
        ['notes', 'empty text', 'Prefers to be called after five.'],
      ]);
      expect(await dialog.textContent()).toContain(
        'The application named the modifier in the same transaction (a logical message).',
      );
      await tab.expectAccessible('detail');

      await page.keyboard.press('Escape');
      await until('the list', () => !page.url().includes('entry='));
      await entryRows(page).filter({ hasText: 'Cannot sign in' }).click();
      await dialog.getByRole('rowheader', { name: 'transcript' }).waitFor();
      expect(await dialog.getByRole('row', { name: /transcript/ }).textContent()).toBe(
        'transcriptnot sentnot sent',
      );
      tab.expectQuiet();
    },
  );

  browserTest(
    'distinguishes null in json from null in SQL, and a changed notation from a changed value',
    async () => {
      await using ground = await openGround(open);
      const { api, page, tab } = ground;
      // The texts of the rules differ only in a repeated key. Parsed, they are equal.
      api.add({
        previous: { payload: null, rules: { a: 1 } },
        updated: { payload: null, rules: { a: 1 } },
        jsonNulls: { previous: [], updated: ['payload'] },
      });
      await until('the row', async () => (await entryRows(page).count()) === 1);
      const cells = await entryRows(page).locator('.cell-values').allTextContents();
      expect(cells[0]).toContain('payloadnull');
      expect(cells[0]).not.toContain('JSON');
      expect(cells[1]).toContain('payloadnull (JSON)');
      await entryRows(page).click();
      const dialog = page.getByRole('dialog');
      const textsOf = (name: string): Promise<string[]> =>
        dialog
          .getByRole('row', { name: new RegExp(`^${name}`) })
          .getByRole('cell')
          .allTextContents();
      await dialog.getByRole('rowheader', { name: 'payload' }).waitFor();
      expect(await textsOf('payload')).toEqual(['null', 'null (JSON)']);
      expect(await textsOf('rules')).toEqual([
        '{\n  "a": 1\n}',
        '{\n  "a": 1\n}only formatting or repeated keys changed',
      ]);
      expect(await dialog.locator('del, ins').count()).toBe(0);
      await tab.expectAccessible('detail with a change of notation');
      tab.expectQuiet();
    },
  );

  browserTest('marks changed lines of json, not only by colour', async () => {
    await using ground = await openGround(open, { entries: 10 });
    const { page, tab } = ground;
    await entryRows(page).filter({ hasText: 'routing.rules' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('rowheader', { name: 'value' }).waitFor();
    expect(await dialog.locator('del').allTextContents()).toEqual([
      '"queue": "default"',
      '"maxWait": 300',
      '"fallback": null',
    ]);
    expect(await dialog.locator('ins').allTextContents()).toEqual([
      '"queue": "priority"',
      '"maxWait": 120',
      ',',
      '"whatsapp"',
      '"fallback": "supervisors"',
    ]);
    const lines = await dialog
      .locator('del, ins')
      .evaluateAll((marks) => marks.map((mark) => getComputedStyle(mark).textDecorationLine));
    expect(new Set(lines)).toEqual(new Set(['line-through', 'underline']));
    await tab.expectAccessible('detail with json');
    tab.expectQuiet();
  });

  browserTest('opens from a link, closes with Back, and gives the focus back', async () => {
    await using ground = await openGround(open, { entries: 10 });
    const { page, tab } = ground;
    const link = entryRows(page).nth(2).getByRole('link');
    const href = await link.getAttribute('href');
    await link.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(page.url()).toContain(href);
    await page.goBack();
    await until('the dialog to close', async () => (await page.getByRole('dialog').count()) === 0);
    expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);

    await page.goto(new URL(`${href}&action=nothing`, page.url()).href);
    await page.getByRole('dialog').getByRole('table').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    expect(new URL(page.url()).search).toBe('?action=nothing');
    // If nobody has interacted with the page, a browser closes a dialog on Esc without asking it. The URL
    // must follow even then.
    await page.goto(new URL(href!, page.url()).href);
    await page.getByRole('dialog').getByRole('table').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await until('the URL without the entry', () => new URL(page.url()).search === '');
    await page.goto(new URL('?entry=42', page.url()).href);
    await page.getByText('There is no entry of this id.').waitFor();
    await tab.expectAccessible('detail that is not there');
    tab.expectQuiet({ except: /404/ });
  });

  browserTest('leads to the changes of the entity in the last days', async () => {
    await using ground = await openGround(open, { entries: 30 });
    const { page, tab } = ground;
    await entryRows(page).filter({ hasText: 'Rivka Stern' }).first().click();
    await page.getByRole('button', { name: 'Last 7 days of this customer' }).click();
    await until('the list', async () => (await entryRows(page).count()) === 3);
    const { searchParams } = new URL(page.url());
    expect(Object.fromEntries(searchParams)).toEqual({
      entityType: 'customer',
      entity: '4120',
      range: 'last-7-days',
    });
    tab.expectQuiet();
  });

  browserTest('copies its link, and its JSON with exact numbers', async () => {
    await using ground = await openGround(open, {
      entries: 10,
      context: { permissions: ['clipboard-read', 'clipboard-write'] },
    });
    const { page, tab } = ground;
    await entryRows(page).filter({ hasText: 'Rivka Stern' }).click();
    await page.getByRole('button', { name: 'Copy JSON' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toContain('"balance": 98765432109876543210.10');
    expect((JSON.parse(copied) as { entity: unknown }).entity).toEqual({
      type: 'customer',
      name: 'Rivka Stern',
      id: '4120',
    });
    await page.getByRole('button', { name: 'Copy link' }).click();
    await until(
      'the link',
      async () => (await page.evaluate(() => navigator.clipboard.readText())) === page.url(),
    );
    tab.expectQuiet();
  });

  browserTest('shows markup in a value as text', async () => {
    await using ground = await openGround(open);
    const { api, page, tab } = ground;
    const nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    api.add({
      entity: { name: nasty },
      modifier: { name: nasty },
      previous: { [nasty]: nasty },
      updated: { [nasty]: { a: nasty } },
    });
    await entryRows(page).click();
    await page.getByRole('dialog').getByRole('table').waitFor();
    expect(await page.title()).toBe('Audit trail logs · Waltrail');
    expect(await page.locator('#app img, #app script').count()).toBe(0);
    expect(await focused(page)).toContain(nasty);
    tab.expectQuiet();
  });

  browserTest(
    'names the person in the row as well, also in the list, and states why a message named nobody',
    async () => {
      await using ground = await openGround(open);
      const { api, page, tab } = ground;
      api.add({
        modifier: { key: null, name: 'Unattributed', kind: null, rung: 'unattributed' },
        lastSetBy: { key: '7', name: 'Dana Levi', kind: 'agent' },
        unreadMessage: { lsn: '0/16B3748', reason: 'not signed' },
      });
      api.add({
        modifier: { key: '12', name: 'Omer Katz', kind: 'agent', rung: 'message' },
        conflict: { rung: 'column', key: '31', name: 'Tag Robot', kind: 'bot' },
      });
      await until('the rows', async () => (await entryRows(page).count()) === 2);
      const cells = await entryRows(page).locator('.cell-modifier').allTextContents();
      expect(cells).toEqual([
        'Omer KatzAgentnamed by the applicationthe row names Tag Robot',
        'Unattributednobody was namedlast set by Dana Levi',
      ]);
      await tab.expectAccessible('hint and conflict');
      const dialog = page.getByRole('dialog');
      await entryRows(page).nth(1).click();
      await dialog.getByText('Last set by').waitFor();
      const hint = await dialog.textContent();
      expect(hint).toContain('Last set byDana LeviAgent 7');
      expect(hint).toContain('A message of the transaction was passed over: it is not signed. LSN 0/16B3748');
      await page.keyboard.press('Escape');
      await until('the list', () => !page.url().includes('entry='));
      await entryRows(page).nth(0).click();
      await dialog.getByText('Conflict').waitFor();
      const conflict = await dialog.textContent();
      expect(conflict).toContain('ConflictTag RobotBot 31');
      expect(conflict).toContain('A message or an audit row of the application names somebody else');
      await tab.expectAccessible('detail with a conflict');
      tab.expectQuiet();
    },
  );
});
