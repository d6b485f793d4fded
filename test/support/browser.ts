import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, expect, test } from '@jest/globals';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findProgram } from './programs.ts';

/** Names of the complete browser. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Names of the same engine without windows. Windows are invisible here and take most of the time. */
const SHELLS = ['chromium-headless-shell', 'chrome-headless-shell'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** A page in its own context that records its console errors and violations. */
export interface TestPage extends AsyncDisposable {
  readonly page: Page;
  /** Console errors and warnings, uncaught errors and violations of the Content-Security-Policy, so far. */
  readonly complaints: readonly string[];
  /** Fails when the page complained; `except` are complaints that the test provoked. */
  expectQuiet(options?: { readonly except?: RegExp }): void;
  /** Fails on any violation of WCAG 2 A or AA that axe finds. */
  expectAccessible(state: string): Promise<void>;
}

/**
 * Defines a test that needs a browser. If none is installed, the test is skipped with a note. In CI it fails,
 * because an install step is missing there.
 */
export function browserTest(name: string, run: () => Promise<void>, timeoutMs = 300_000): void {
  if (findProgram(BROWSERS) === undefined && process.env.CI !== 'true') {
    test.skip(`${name} (needs a browser: put one of ${BROWSERS.join(', ')} on the PATH)`, run);
  } else test(name, run, timeoutMs);
}

/** Opens headless Chromium with an empty profile, which Playwright creates and removes. */
async function openBrowser({ whole }: { readonly whole: boolean }): Promise<Browser> {
  const executablePath = findProgram(whole ? BROWSERS : [...SHELLS, ...BROWSERS]);
  if (executablePath === undefined)
    throw new Error(`No browser: none of ${BROWSERS.join(', ')} is on the PATH. Install Debian's chromium.`);
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/**
 * Shares one browser among all tests of a file. The first test that needs it opens it. Returns the function
 * that creates pages.
 *
 * @param options.whole whether to use the complete browser, even if the engine alone is installed
 */
export function sharedBrowser(
  options = { whole: false },
): (options?: BrowserContextOptions) => Promise<TestPage> {
  let browser: Promise<Browser> | undefined;
  afterAll(async () => (await browser)?.close());
  return async (of) => newPage(await (browser ??= openBrowser(options)), of);
}

/** A new page with no cookie and no storage. */
async function newPage(browser: Browser, options: BrowserContextOptions = {}): Promise<TestPage> {
  // An endless animation would be painted sixty times a second, by the processor.
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) =>
      reportError(new Error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}`)),
    );
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return {
    page,
    complaints,
    expectQuiet: ({ except } = {}) => {
      expect(complaints.filter((text) => except === undefined || !except.test(text))).toEqual([]);
    },
    expectAccessible: async (state) => {
      // Loaded only if needed: it is half a megabyte for every page to read. The CSP does not block it.
      if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
      const violations = await page.evaluate(async (tags) => {
        const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
        const result = await axe.run(document, { runOnly: tags });
        return result.violations.map(({ id, nodes }) => ({
          id,
          nodes: nodes
            .slice(0, 5)
            .map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`),
        }));
      }, WCAG);
      expect({ state, violations }).toEqual({ state, violations: [] });
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}
