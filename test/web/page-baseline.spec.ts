import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

describe('an entry of a baseline', () => {
  browserTest(
    'is shown as a row that existed already, without a modifier or a change, and has its own filter',
    async () => {
      await using ground = await openGround(open, { entries: 3 });
      const { api, page, tab } = ground;
      api.add({
        modifier: { key: null, name: 'Not known', kind: null, rung: 'baseline' },
        action: 'baseline',
        actionName: 'Existed already',
        entity: { type: 'role', name: 'Administrator', id: '1' },
        previous: null,
        updated: { id: { $number: '1' }, name: 'Administrator' },
        table: 'public.roles',
        operation: 'baseline',
        transaction: { xid: '0', commitLsn: '0/23739C0', seq: -1999999999 },
        context: null,
      });
      const row = entryRows(page).filter({ hasText: 'Administrator' });
      await row.waitFor();
      const text = (await row.textContent())!;
      expect(text).toContain('Not known');
      expect(text).toContain('existed already');
      expect(text).toContain('Existed already');
      expect(text).not.toContain('did not exist');
      expect(text).not.toMatch(/Add|Insert|Unattributed/);

      await row.click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('heading', { name: 'Existed already: role Administrator' }).waitFor();
      const detail = (await dialog.textContent())!;
      expect(detail).toContain('Who created it, and when, is not known.');
      expect(detail).toContain('All fields of the row that existed already');
      expect(detail).toContain('None: the row existed already');
      expect(detail).not.toContain('Date of modification');
      await tab.expectAccessible('baseline');
      await page.keyboard.press('Escape');
      await until('the list', () => !page.url().includes('entry='));

      await page.goto(`${api.url}/?rung=baseline`);
      await row.waitFor();
      expect(await entryRows(page).count()).toBe(1);
      tab.expectQuiet();
    },
  );
});
