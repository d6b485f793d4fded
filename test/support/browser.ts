import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, expect, test } from '@jest/globals';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findProgram } from './programs.ts';

/** The whole browser. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** The same engine without the windows around it, which nobody sees here and which take most of the time. */
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

/** A page of its own context that remembers everything it complained about. */
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
 * A test that needs a browser. Where none is installed it is skipped with a word about it; in CI it fails,
 * because there a missing browser is a missing install step.
 */
export function browserTest(name: string, run: () => Promise<void>, timeoutMs = 300_000): void {
  if (findProgram(BROWSERS) === undefined && process.env.CI !== 'true') {
    test.skip(`${name} (needs a browser: put one of ${BROWSERS.join(', ')} on the PATH)`, run);
  } else test(name, run, timeoutMs);
}

/** Headless Chromium with an empty profile of its own, made and removed by Playwright. */
async function openBrowser({ whole }: { readonly whole: boolean }): Promise<Browser> {
  const executablePath = findProgram(whole ? BROWSERS : [...SHELLS, ...BROWSERS]);
  if (executablePath === undefined)
    throw new Error(`No browser: none of ${BROWSERS.join(', ')} is on the PATH. Install Debian's chromium.`);
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/**
 * One browser for all tests of a file, opened by the first that needs it. Returns the maker of pages.
 *
 * @param options.whole the browser that people use, also where there is a shell with its engine
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
  // What moves for ever is painted sixty times a second, by the processor.
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
      // Only where it is asked for: half a megabyte that every page would have to read. No CSP keeps it out.
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
