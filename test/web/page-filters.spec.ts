import { describe, expect } from '@jest/globals';
import { browserTest, sharedBrowser } from '../support/browser.ts';
import { entryRows, focused, openGround } from '../support/page.ts';
import { until } from '../support/until.ts';

const open = sharedBrowser();

describe('filters', () => {
  browserTest('several modifiers are found by typing, chosen by keyboard and kept in the URL', async () => {
    await using ground = await openGround(open, { entries: 40 });
    const { page, tab } = ground;
    await page.getByRole('button', { name: /^Modified by/ }).click();
    const search = page.getByRole('combobox', { name: 'Search modifiers' });
    await page.getByRole('option', { name: /Dana Levi/ }).waitFor();
    expect(await page.getByRole('option', { name: /Dana Levi Agent 12 entries/ }).count()).toBe(1);
    expect(await page.getByRole('option', { name: /Unattributed/ }).count()).toBe(1);
    await tab.expectAccessible('list of modifiers');

    await search.fill('robot');
    await page.keyboard.press('Enter');
    await search.fill('');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowDown');
    const active = await search.getAttribute('aria-activedescendant');
    expect(await page.locator(`[id="${active}"]`).textContent()).toContain('Dana Levi');
    await page.keyboard.press('Enter');
    expect(new URL(page.url()).searchParams.getAll('modifier')).toEqual(['31', '7']);
    await page.keyboard.press('Escape');
    expect(await page.getByRole('listbox').count()).toBe(0);
    expect(await focused(page)).toContain('Tag Robot +1');

    await until('the filtered list', async () => (await entryRows(page).count()) === 20);
    const names = await page.locator('.modifier-name').allTextContents();
    expect(new Set(names)).toEqual(new Set(['Tag Robot', 'Dana Levi']));
    tab.expectQuiet();
  });

  browserTest(
    'a shared link shows the same view, Back undoes a filter, and chips remove filters',
    async () => {
      await using ground = await openGround(open, {
        entries: 40,
        path: '?modifier=7&modifier=unattributed&action=block&action=set&q=e',
      });
      const { page, tab } = ground;
      const chips = page.getByRole('list', { name: 'Active filters' }).getByRole('button');
      await until('names on the chips', async () =>
        (await chips.allTextContents()).includes('Modified by Dana Levi'),
      );
      expect(await chips.allTextContents()).toEqual([
        'Modified by Dana Levi',
        'Modified by Unattributed',
        'Action Block',
        'Action Set',
        'Text e',
      ]);
      await tab.expectAccessible('filtered view');
      await page.getByRole('button', { name: 'Remove filter Action: Block' }).click();
      expect(new URL(page.url()).searchParams.getAll('action')).toEqual(['set']);
      await until('only settings', async () =>
        (await page.locator('.action').allTextContents()).every((text) => text === 'Set'),
      );
      await page.goBack();
      await until('both actions', async () => (await chips.count()) === 5);
      await page.getByRole('button', { name: 'Clear all' }).click();
      expect(new URL(page.url()).search).toBe('');
      await until('the whole list', async () => (await entryRows(page).count()) === 40);
      tab.expectQuiet();
    },
  );

  browserTest('the way of finding the modifier is chosen below the list of modifiers', async () => {
    await using ground = await openGround(open, { entries: 40, path: '?rung=witness&rung=guess' });
    const { api, page, tab } = ground;
    await page.locator('#main').getByText('The link has an unknown way in which').waitFor();
    const chips = page.getByRole('list', { name: 'Active filters' }).getByRole('button');
    expect(await chips.allTextContents()).toEqual(['Modifier from an audit row']);
    await page.getByRole('button', { name: /^Modified by/ }).click();
    const select = page.getByLabel('How the modifier is known');
    expect(await select.inputValue()).toBe('witness');
    await tab.expectAccessible('list of modifiers with a way');
    await select.selectOption({ label: 'Nobody was named' });
    const asked = () =>
      api.seen
        .filter(({ path }) => path === '/v1/entries')
        .at(-1)!
        .query.getAll('rung');
    await until('the other way', () => asked().join() === 'unattributed');
    await until('unattributed entries only', async () => {
      const cells = await page.locator('.cell-modifier').allTextContents();
      return cells.length > 0 && cells.every((text) => text.includes('nobody was named'));
    });
    await select.selectOption({ label: 'In any way' });
    expect(new URL(page.url()).searchParams.has('rung')).toBe(false);
    await until('the whole list', async () => (await entryRows(page).count()) === 40);
  });

  browserTest('if there are more modifiers than the list holds, a search finds the others', async () => {
    await using ground = await openGround(open, { entries: 40 });
    const { api, page, tab } = ground;
    for (let n = 0; n < 30; n++)
      api.add({ modifier: { key: `k${n}`, name: `Invented ${n}`, kind: 'agent', rung: 'message' } });
    await page.getByRole('button', { name: /^Modified by/ }).click();
    const search = page.getByRole('combobox', { name: 'Search modifiers' });
    const note = page.getByText(/more, with \d+ entries\. Search to find them\./);
    const options = page.getByRole('listbox').getByRole('option');
    await note.waitFor();
    expect(await options.count()).toBe(20);
    await tab.expectAccessible('a list that is cut off');
    await search.fill('invented 29');
    await until('the one that was found', async () => (await options.count()) === 1);
    expect(await page.getByText(/Search to find them/).count()).toBe(0);
    await page.keyboard.press('Enter');
    expect(new URL(page.url()).searchParams.getAll('modifier')).toEqual(['k29']);
    // A chosen option stays in the list, with its name.
    await search.fill('');
    await until('the whole list', async () => (await options.count()) >= 20);
    await page.getByRole('option', { name: /Invented 29/, selected: true }).waitFor();
    tab.expectQuiet();
  });

  browserTest('unattributed is an option apart from the names, with its own link', async () => {
    await using ground = await openGround(open, { entries: 40 });
    const { api, page, tab } = ground;
    api.add({ modifier: { key: 'unattributed', name: 'Una Tributed', kind: 'agent', rung: 'column' } });
    const list = page.getByRole('button', { name: /^Modified by/ });
    const choose = async (name: RegExp): Promise<void> => {
      await list.click();
      await page.getByRole('option', { name }).click();
      await page.keyboard.press('Escape');
    };
    await entryRows(page).first().waitFor();
    await choose(/^Unattributed \d+ entries/);
    await until('entries by nobody', async () => (await entryRows(page).count()) === 4);
    expect(new URL(page.url()).search).toBe('?modifier=');
    expect(await list.textContent()).toContain('Unattributed');
    const cell = entryRows(page).first().locator('.cell-modifier');
    expect(await cell.textContent()).toBe('Unattributednobody was named');
    expect(await cell.locator('.badge').count()).toBe(0);
    await tab.expectAccessible('entries by nobody');

    // The earlier form of the link opens the same list. The link for the agent with that key is another
    // one.
    await page.goto(`${api.url}/?modifier=unattributed`);
    await until('entries by nobody', async () => (await entryRows(page).count()) === 4);
    await page.getByRole('button', { name: 'Remove filter Modified by: Unattributed' }).click();
    await choose(/^Una Tributed Agent 1 entries/);
    await until('the entry of the agent', async () => (await entryRows(page).count()) === 1);
    expect(new URL(page.url()).search).toBe('?modifierKey=unattributed');
    await page.reload();
    await until('the entry of the agent', async () => (await entryRows(page).count()) === 1);
    expect(await cell.textContent()).toContain('Una Tributed');
    await entryRows(page).first().click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.locator('.facts').first().textContent()).toContain('Una TributedAgentunattributed');
    tab.expectQuiet();
  });

  browserTest(
    'typed text is searched for after a pause in typing, and Back undoes it in one step',
    async () => {
      await using ground = await openGround(open, { entries: 40 });
      const { api, page, tab } = ground;
      await entryRows(page).first().waitFor();
      await page.keyboard.press('/');
      expect(await focused(page)).toBe('Search');
      await page.keyboard.type('rivka');
      await until('the found entries', async () => (await entryRows(page).count()) === 4);
      expect(new URL(page.url()).searchParams.get('q')).toBe('rivka');
      const asked = api.seen.filter(({ path, query }) => path === '/v1/entries' && query.has('q'));
      expect(asked.map(({ query }) => query.get('q'))).toEqual(['rivka']);
      await page.keyboard.press('Control+A');
      await page.keyboard.type('nothing like it', { delay: 5 });
      await page.getByRole('heading', { name: 'No entry matches these filters' }).waitFor();
      await tab.expectAccessible('empty');
      await page.goBack();
      await until('the list before', async () => (await entryRows(page).count()) === 40);
      expect(await page.getByLabel('Search', { exact: true }).inputValue()).toBe('');
      tab.expectQuiet();
    },
  );

  browserTest('a range over the limit is explained without a request, with ranges that fit', async () => {
    await using ground = await openGround(open, { entries: 5 });
    const { api, page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.getByRole('button', { name: /^Date of modification/ }).click();
    await tab.expectAccessible('date range');
    await page.getByLabel('From', { exact: true }).fill('2026-11-01T00:00:00');
    await page.getByLabel('To (not included)').fill('2026-11-10T12:00:00');
    await page.getByText('This range is 9 days and 12 hours long. A report covers at most 7 days.').waitFor();
    expect(await page.getByRole('button', { name: 'Apply' }).isDisabled()).toBe(true);
    await tab.expectAccessible('date range too long');
    await page.getByRole('button', { name: 'Keep the end' }).click();
    expect(new URL(page.url()).searchParams.get('from')).toBe('2026-11-03T12:00:00Z');
    expect(new URL(page.url()).searchParams.get('to')).toBe('2026-11-10T12:00:00Z');
    await page.getByRole('heading', { name: 'Nothing was changed in this range' }).waitFor();
    expect(await page.locator('.live').textContent()).toBe('Not live');

    // A link may contain such a range, too.
    const before = api.seen.length;
    await page.goto(`${api.url}/?from=2026-11-01T00:00:00Z&to=2026-11-20T00:00:00Z`);
    await page.getByText('This range cannot be shown').waitFor();
    expect(api.seen.slice(before).filter(({ path }) => path === '/v1/entries')).toEqual([]);
    await page.getByRole('button', { name: /^Keep the start/ }).click();
    await page.getByRole('heading', { name: 'Nothing was changed in this range' }).waitFor();
    tab.expectQuiet();
  });

  browserTest('times use the chosen zone, which is remembered', async () => {
    await using ground = await openGround(open, { context: { timezoneId: 'Asia/Tokyo' } });
    const { api, page, tab } = ground;
    api.add();
    await entryRows(page).first().waitFor();
    const time = page.locator('tr[data-entry] time');
    const utc = await time.textContent();
    await page.getByLabel('Time zone').selectOption({ label: 'Asia/Tokyo (this browser)' });
    await until('the other zone', async () => (await time.textContent()) !== utc);
    const shift = (Date.parse(`${await time.textContent()}Z`) - Date.parse(`${utc}Z`)) / 60_000;
    expect(shift).toBe(540);
    expect(new URL(page.url()).searchParams.get('tz')).toBe('Asia/Tokyo');
    await page.goto(api.url);
    await entryRows(page).first().waitFor();
    expect(await page.getByLabel('Time zone').inputValue()).toBe('Asia/Tokyo');
    tab.expectQuiet();
  });

  browserTest(
    'a problem of the API is shown with its detail and its remedy, and can be retried',
    async () => {
      await using ground = await openGround(open, { entries: 5 });
      const { api, page, tab } = ground;
      await entryRows(page).first().waitFor();
      // After this error the page does not retry automatically, unlike after a server that does not answer.
      api.failWith('/v1/entries', {
        status: 500,
        title: 'The trail does not answer',
        detail: 'The query ran longer than 15 seconds.',
        remedy: 'Narrow the range or the filters.',
      });
      await page.goto(`${api.url}/?action=edit`);
      const alert = page.getByRole('alert');
      await alert.waitFor();
      expect(await alert.locator('p').allTextContents()).toEqual([
        'The trail does not answer',
        'The query ran longer than 15 seconds.',
        'Narrow the range or the filters.',
      ]);
      await tab.expectAccessible('failed');
      api.failWith('/v1/entries', null);
      await page.getByRole('button', { name: 'Try again' }).click();
      await entryRows(page).first().waitFor();
      tab.expectQuiet({ except: /500/ });
    },
  );

  browserTest('an invalid part of the address is reported in a notice, which can be dismissed', async () => {
    await using ground = await openGround(open, { entries: 3, path: '?range=xx&from=junk' });
    const { page, tab } = ground;
    await entryRows(page).first().waitFor();
    const notices = page.locator('.notice');
    expect(await notices.allTextContents()).toEqual([
      'The link has an unknown range; showing the last 24 hours.',
      'The link has a date that cannot be read; showing the last 24 hours.',
    ]);
    await tab.expectAccessible('notices');
    for (const left of [1, 0]) {
      await page.getByRole('button', { name: 'Dismiss this notice' }).first().click();
      await until('the notice to go', async () => (await notices.count()) === left);
    }
    expect(await entryRows(page).count()).toBe(3);
    tab.expectQuiet();
  });

  browserTest('the longest quick range is valid in the date panel, which applies what it shows', async () => {
    await using ground = await openGround(open, { entries: 3, path: '?range=last-7-days' });
    const { page, tab } = ground;
    await entryRows(page).first().waitFor();
    await page.getByRole('button', { name: /^Date of modification/ }).click();
    const from = page.getByLabel('From');
    await from.waitFor();
    await page.waitForTimeout(1_100);
    expect(await page.locator('#range-note').getAttribute('class')).toBe('help');
    // A longer range is invalid.
    const shown = await from.inputValue();
    await from.fill('2026-01-01T00:00:00');
    expect(await page.locator('#range-note').getAttribute('class')).toBe('field-error');
    await from.fill(shown);
    expect(await page.locator('#range-note').getAttribute('class')).toBe('help');
    await page.getByRole('button', { name: 'Apply' }).click();
    await entryRows(page).first().waitFor();
    expect(new URL(page.url()).searchParams.has('from')).toBe(true);
    tab.expectQuiet();
  });
});
