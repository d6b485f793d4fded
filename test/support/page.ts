import type { BrowserContextOptions, Page } from 'playwright-core';
import type { TestPage } from './browser.ts';
import { startMockApi, type MockApi } from './mock-api.ts';

export type OpenPage = (options?: BrowserContextOptions) => Promise<TestPage>;

export interface Ground extends AsyncDisposable {
  readonly api: MockApi;
  readonly tab: TestPage;
  readonly page: Page;
}

/** Opens the page, signed in by a link, on its own API; `path` follows its URL. */
export async function openGround(
  open: OpenPage,
  options: {
    readonly entries?: number;
    readonly session?: Readonly<Record<string, unknown>>;
    readonly path?: string;
    readonly as?: 'admin' | 'viewer';
    readonly context?: BrowserContextOptions;
  } = {},
): Promise<Ground> {
  const api = await startMockApi(options);
  const tab = await open(options.context);
  const { page } = tab;
  const token = api.tokens[options.as ?? 'admin'];
  await page.goto(`${api.url}/${options.path ?? ''}#signin=${encodeURIComponent(token)}`);
  await page.getByRole('banner').waitFor();
  return {
    api,
    tab,
    page,
    [Symbol.asyncDispose]: async () => {
      await tab[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

/** Rows of entries. */
export const entryRows = (page: Page) => page.locator('tr[data-entry]');

/** Returns the name of the focused element as a screen reader would read it: the label or the text. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const element = document.activeElement;
    const label = element?.getAttribute('aria-label');
    const labels = (element as HTMLInputElement | null)?.labels?.[0]?.textContent;
    return (label ?? labels ?? element?.textContent ?? '').trim();
  });
