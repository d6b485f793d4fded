import { describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_CODES } from '../../src/errors.js';
import { START_HELP } from '../../src/cli/start-options.js';
import { parseConfig } from '../../src/tracking/load.js';
import { trackingJsonSchema } from '../../src/tracking/schema.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const { ROOMS } = (await import(path.join(ROOT, 'scripts/imports.mjs'))) as {
  ROOMS: Readonly<Record<string, readonly string[]>>;
};
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const README = read('README.md');
const MAP = read('src/README.md');
const DECISIONS = read('src/DECISIONS.md');
const CONTRIBUTING = read('CONTRIBUTING.md');
/** Documents by name: `docs.api` is docs/api.md. */
const docs = Object.fromEntries(
  readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => [file.slice(0, -'.md'.length), read(`docs/${file}`)]),
) as Readonly<Record<string, string>>;
/** Documents for users, by path. */
const MANUAL: Readonly<Record<string, string>> = {
  'README.md': README,
  ...Object.fromEntries(Object.entries(docs).map(([name, text]) => [`docs/${name}.md`, text])),
};
const DOCUMENTS: Readonly<Record<string, string>> = {
  ...MANUAL,
  'src/README.md': MAP,
  'src/DECISIONS.md': DECISIONS,
  'CONTRIBUTING.md': CONTRIBUTING,
};

/** The first capture group of all matches. */
const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1]!);
/** Whether the text contains the name in backticks, alone or among other words. */
const isNamed = (text: string, word: string): boolean =>
  all(text, /`([^`\n]+)`/g).some((code) => new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(code));
const filesBelow = (folder: string, ends: string): string[] =>
  readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ends))
    .map((file) => `${folder}/${file}`);
/** The text from a heading to the next one. */
const section = (text: string | undefined, title: string): string => {
  const [, rest] = (text ?? '').split(new RegExp(`^#+ ${title}$`, 'm'));
  if (rest === undefined) throw new Error(`no section "${title}"`);
  return rest.split(/^#+ /m)[0]!;
};

/** The text from a heading to the next one of the same or a higher level. */
const chapter = (text: string | undefined, title: string): string => {
  const [, marks = '', rest] = new RegExp(`^(#+) ${title}$([^]*)`, 'm').exec(text ?? '') ?? [];
  if (rest === undefined) throw new Error(`no chapter "${title}"`);
  return rest.split(new RegExp(`^#{1,${marks.length}} `, 'm'))[0]!;
};

describe('the manual names', () => {
  test('every error code with its remedy, and no other', () => {
    const who = { never: '', backoff: 'retried', operator: 'a person' };
    const rows = Object.entries(ERROR_CODES).map(([code, info]) => {
      const facts = ['status' in info ? String(info.status) : '', who[info.retry]].filter(Boolean).join(', ');
      return `| \`${code}\` | ${facts} | ${info.remedy.replaceAll('|', '\\|')} |`;
    });
    const text = docs.errors!;
    const table = text.slice(text.indexOf('<!-- errors'), text.indexOf('<!-- /errors'));
    const written = table.split('\n').filter((line) => line.startsWith('| `'));
    expect(written.sort()).toEqual(rows.sort());
  });

  test('every setting, and no other', () => {
    const settings = all(read('src/settings.ts'), /^ {2}([A-Z][A-Z_]+): (?:z|postgresUrl)/gm);
    expect(settings.length).toBeGreaterThan(5);
    expect(all(section(docs.install, 'Settings'), /^\| `(\w+)` \|/gm).sort()).toEqual(settings.sort());
  });

  test('every option of waltrail start', () => {
    const options = all(START_HELP, /^ {2}(--[a-z-]+)/gm);
    expect(options.length).toBeGreaterThan(3);
    expect(options.filter((option) => !isNamed(section(docs.install, 'Settings'), option))).toEqual([]);
  });

  test('every key of the YAML, at every level', () => {
    const keys = keysOf(trackingJsonSchema());
    expect([...keys]).toEqual(expect.arrayContaining(['source', 'max_range', 'when', 'truncate']));
    const chapters = ['Keys of the file', 'Keys of a table', 'Tenants', 'Conditions'];
    const text = chapters.map((title) => chapter(docs.tracking, title)).join('');
    expect([...keys].filter((key) => !isNamed(text, key))).toEqual([]);
  });

  test('every metric, and no other', () => {
    const metrics = new Set(all(read('src/admin/routes/metrics.ts'), /'(waltrail_\w+)'/g));
    expect(metrics.size).toBeGreaterThan(5);
    const rows = section(docs.operations, 'Health and metrics')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(new Set(all(rows.join('\n'), /`(waltrail_\w+)`/g))).toEqual(metrics);
  });

  test('every route, and no other', () => {
    const routes = filesBelow('src/admin', '.controller.ts').flatMap((file) => routesOf(read(file)));
    expect(routes.length).toBeGreaterThan(10);
    const rows = docs.api!.split('\n').filter((line) => line.startsWith('| `'));
    expect(all(rows.join('\n'), /`((?:GET|POST|DELETE|PUT|PATCH) [^`]+)`/g).sort()).toEqual(routes.sort());
  });
});

describe('the examples of the manual', () => {
  const blocks = (language: string): { readonly file: string; readonly block: string }[] =>
    Object.entries(MANUAL).flatMap(([file, text]) =>
      all(text, new RegExp('^```' + language + '\\n([^]*?)^```$', 'gm')).map((block) => ({ file, block })),
    );

  test('are valid JSON where they are marked as JSON', () => {
    expect(blocks('json').length).toBeGreaterThan(2);
    for (const { block } of blocks('json')) expect(() => JSON.parse(block) as unknown).not.toThrow();
  });

  test('are a tracking file that loads', () => {
    const environment = { WALTRAIL_SOURCE_URL: 'postgres://a/b', WALTRAIL_TRAIL_URL: 'postgres://a/c' };
    const head =
      'source: { name: s, url: "${WALTRAIL_SOURCE_URL}" }\ntrail: { url: "${WALTRAIL_TRAIL_URL}" }\n';
    expect(blocks('yaml').length).toBeGreaterThan(3);
    for (const { file, block } of blocks('yaml')) {
      const text = /^source:/m.test(block) ? block : head + block;
      expect(parseConfig({ text, file, environment }).tables.length).toBeGreaterThan(0);
    }
  });
});

test('the README is short', () => {
  expect(Buffer.byteLength(README)).toBeLessThanOrEqual(8192);
});

test('CONTRIBUTING names every script of package.json that people run', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const names = Object.keys(scripts).filter((name) => !/^pre|^post/.test(name));
  expect(names.filter((name) => !isNamed(CONTRIBUTING, name))).toEqual([]);
});

describe.each(Object.entries(DOCUMENTS))('%s', (file, text) => {
  test('has no broken links', () => {
    const links = all(text, /\]\(([^)\s]+)\)/g).filter((link) => !/^\w+:/.test(link));
    const broken = links.filter((link) => {
      const [target = '', anchor] = link.split('#');
      const place = target === '' ? path.join(ROOT, file) : path.resolve(ROOT, path.dirname(file), target);
      if (!existsSync(place)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(place, 'utf8')).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names no file that does not exist', () => {
    const names = all(text, /`(\w[\w./-]*\/[\w.-]*\.(?:ts|tsx|mjs|sql|json|yaml|md)|[\w-]+\.(?:ts|mjs))`/g);
    const places = ['', 'src/', ...(file === 'src/DECISIONS.md' ? ['src/pipeline/'] : [])];
    const missing = names.filter(
      (name) => !places.some((place) => existsSync(path.join(ROOT, place + name))),
    );
    expect(missing).toEqual([]);
  });
});

test('every promise quotes tests that exist', () => {
  const promises = docs.promises!.split(/^## /m).slice(1);
  expect(promises.length).toBeGreaterThan(10);
  for (const promise of promises) {
    const [, tests = ''] = promise.split('\nTests:\n');
    const [, ...parts] = tests.split(/`(?=test\/)/);
    expect({ promise, tests: parts.length > 0 }).toEqual({ promise, tests: true });
    for (const part of parts) {
      const [file = '', quotes = ''] = part.split('`');
      const source = read(file);
      const names = all(quotes, /"([^"]+)"/g).map((name) => name.replace(/\s+/g, ' '));
      expect(names.filter((name) => !source.includes(name))).toEqual([]);
    }
  }
});

test('the map shows the import rule that the linter checks', () => {
  const rule = Object.entries(ROOMS);
  expect(rule.length).toBeGreaterThan(10);
  const rows = section(MAP, 'The import rule')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const shown = rows.map((row) => {
    const [room, ...allowed] = all(row, /`([^`]+)`/g);
    return [room!, allowed] as const;
  });
  expect(shown).toEqual(rule);
  const rooms = Object.keys(ROOMS).filter((room) => existsSync(path.join(ROOT, 'src', room)));
  expect(rooms.filter((room) => !isNamed(section(MAP, 'The rooms'), `${room}/`))).toEqual([]);
});

test('decisions are numbered in sequence, and code refers only to those that exist', () => {
  const numbers = all(DECISIONS, /^## (\d+)\. /gm).map(Number);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  for (const decision of DECISIONS.split(/^## /m).slice(1)) {
    expect(decision).toMatch(
      /\*\*Choice:\*\*[^]*\*\*Rejected:\*\*[^]*\*\*Consequence:\*\*|\n\nReplaced by \d+\.\n+$/,
    );
  }
  const code = ['.ts', '.tsx', '.mjs']
    .flatMap((ends) => filesBelow('src', ends))
    .concat(filesBelow('sql', '.sql'));
  const referred = code.flatMap((file) =>
    all(read(file), /DECISIONS(?:\.md)?,? (\d+(?:(?: to |, | and )\d+)*)/g),
  );
  expect(referred.length).toBeGreaterThan(0);
  expect(
    referred.flatMap((text) => all(text, /(\d+)/g).map(Number)).filter((n) => !numbers.includes(n)),
  ).toEqual([]);
});

/** Property names of a JSON Schema, including nested objects. Names that a user chooses do not count. */
function keysOf(schema: unknown): Set<string> {
  const keys = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [name, child] of Object.entries(node)) {
      if (name === 'properties') for (const key of Object.keys(child as object)) keys.add(key);
      visit(child);
    }
  };
  visit(schema);
  return keys;
}

/** `GET /v1/entries/:id` for every handler of a controller. */
function routesOf(source: string): string[] {
  const [, base = ''] = /@Controller\((?:'([^']*)')?\)/.exec(source) ?? [];
  return [...source.matchAll(/@(Get|Post|Put|Patch|Delete)\((?:'([^']*)')?\)/g)].map(([, method, place]) => {
    const route = [base, place].filter((part) => part !== undefined && part !== '').join('/');
    const outside = ['healthz', 'readyz', 'metrics'].includes(route);
    return `${method!.toUpperCase()} ${outside ? '' : '/v1'}/${route}`;
  });
}

/** Anchors of headings, in the form that GitHub gives them. */
const anchorsOf = (text: string): string[] =>
  all(text, /^#+ (.+)$/gm).map((title) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
