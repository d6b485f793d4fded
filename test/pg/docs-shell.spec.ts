import { expect, test } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { shellBlocks } from '../support/documents.ts';
import { eventually } from '../support/processes.ts';
import { findProgram } from '../support/programs.ts';
import { ownServer } from '../support/server.ts';
import { openShell, type Shell } from '../support/shell.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');

/** A block of a document, by its first line. */
interface Named {
  readonly document: string;
  readonly begins: string;
}

/** A block that a test types. */
interface Step extends Named {
  /** What the commands write. */
  readonly shows: RegExp;
  /** Commands that fail, as `exit code: command`. */
  readonly fails?: readonly string[];
  /** Is typed before, because the text around the block asks for it. */
  readonly first?: string;
  /** Parts that are typed in another way. */
  readonly instead?: readonly { readonly part: string; readonly by: string; readonly because: string }[];
}

const SECOND_TERMINAL = 'it runs until it is stopped, and the document continues in a second terminal';
const ENDLESS = 'it follows new entries until it is stopped';

const README: readonly Step[] = [
  {
    document: 'README.md',
    begins: 'npm start',
    shows: /^$/,
    instead: [{ part: 'npm start', by: 'npm start > start.log 2>&1 &', because: SECOND_TERMINAL }],
  },
  { document: 'README.md', begins: 'run() {', shows: /UPDATE 1\n[^]*"items"/ },
  {
    document: 'README.md',
    begins: '# 3. An application',
    shows: /DELETE 1\n[^]*"items"[^]*"state":"ready"[^]*wt_[\w-]{20}/,
    instead: [
      {
        part: 'curl -sN -H "Authorization: Bearer $(run token)" "$(run url)/v1/entries/stream"\n',
        by: 'curl -sN -m 1 -H "Authorization: Bearer $(run token)" "$(run url)/v1/entries/stream" || true\n',
        because: ENDLESS,
      },
    ],
  },
];

/** The manual from the installation to the removal, on a server at this URL. */
const manual = (server: string): readonly Step[] => [
  {
    document: 'docs/install.md',
    begins: 'export DB=',
    shows: /logical[^]*ALTER SYSTEM/,
    instead: [
      { part: 'postgres://postgres:secret@127.0.0.1:5432', by: server, because: 'it is another server' },
    ],
  },
  {
    document: 'docs/install.md',
    begins: 'npm ci && npm run build',
    shows: /CREATE DATABASE/,
    instead: [{ part: 'npm ci && npm run build', by: 'true', because: 'it was done before the tests' }],
  },
  {
    document: 'docs/install.md',
    begins: 'npx waltrail init',
    shows: /shop\.yaml[^]*create publication/i,
    instead: [
      { part: 'npx waltrail start ', by: 'npx waltrail start > start.log 2>&1 & ', because: SECOND_TERMINAL },
    ],
  },
  { document: 'docs/install.md', begins: 'npx waltrail token create --name me', shows: /[\w-]{20}/ },
  {
    document: 'docs/api.md',
    begins: 'URL=http',
    shows: /"items"/,
    instead: [
      {
        part: 'http://127.0.0.1:8080',
        by: `$(grep -o 'http://127.0.0.1:[0-9]*' start.log | head -1)`,
        because: 'the port is a free one',
      },
    ],
  },
  { document: 'docs/api.md', begins: 'curl -s -H "Authorization: Bearer $TOKEN" \\', shows: /"items"/ },
  {
    document: 'docs/api.md',
    begins: 'curl -sN -H "Authorization: Bearer $TOKEN" "$URL/v1/entries/stream',
    shows: /^event: /m,
    instead: [
      { part: 'curl -sN', by: 'curl -sN -m 1', because: ENDLESS },
      { part: 'entityType=agent"\n', by: 'entityType=agent" || true\n', because: ENDLESS },
    ],
  },
  { document: 'docs/api.md', begins: 'npx waltrail token create --name dana', shows: /siem[^]*dana/ },
  {
    document: 'docs/security.md',
    begins: 'npx waltrail token create --name dana',
    shows: /siem[^]*dana/,
  },
  {
    document: 'docs/exports.md',
    begins: 'id=$(curl',
    first: 'TOKEN=$(npx waltrail token create --name reports --role exporter)',
    shows: /"state":"ready"[^]*\.xlsx/,
  },
  { document: 'docs/tracking.md', begins: 'npx waltrail reload --dry-run', shows: /Nothing to do/ },
  { document: 'docs/operations.md', begins: 'npx waltrail status     #', shows: /capture +streams/ },
  {
    document: 'docs/operations.md',
    begins: `curl -s -H "Authorization: Bearer $TOKEN" "$URL/v1/status" | node -p 'JSON.parse(require("fs").readFileSync(0)).capture'`,
    first: 'TOKEN=$(npx waltrail token create --name nagios --role viewer)',
    shows: /state: 'streaming'/,
  },
  {
    document: 'docs/operations.md',
    begins: `curl -s -H "Authorization: Bearer $TOKEN" "$URL/v1/status" | node -p 'JSON.parse(require("fs").readFileSync(0)).capture.waiting'`,
    shows: /null|undefined/,
  },
  { document: 'docs/operations.md', begins: 'npx waltrail gaps\n', shows: /gap/i },
  { document: 'docs/operations.md', begins: 'npx waltrail gaps --accept', shows: /gap/i },
  { document: 'docs/operations.md', begins: 'npx waltrail doctor', shows: /order/ },
  {
    document: 'docs/operations.md',
    begins: 'npx waltrail explain --entry',
    shows: /agent[^]*agent/,
    instead: [
      {
        part: '1417339207682',
        by: `$(curl -s -H "Authorization: Bearer $TOKEN" "$URL/v1/entries?entityType=agent&limit=1" | node -p 'JSON.parse(require("fs").readFileSync(0)).items[0].id')`,
        because: 'each trail has other ids',
      },
    ],
  },
  { document: 'docs/operations.md', begins: 'npx waltrail reload --dry-run', shows: /Nothing to do/ },
  {
    document: 'docs/operations.md',
    begins: 'npx waltrail token create --name "Dana Levi"',
    shows: /[\w-]{20}/,
  },
  {
    document: 'docs/operations.md',
    begins: 'npx waltrail skip      ',
    shows: /error that repeats/,
    fails: ['1: npx waltrail skip --at 16/B374D848 --reason "OPS-12: no text"'],
  },
  {
    document: 'docs/operations.md',
    begins: 'npx waltrail status      # capture',
    shows: /capture +streams[^]*Nothing to do/,
  },
  {
    document: 'docs/operations.md',
    begins: "WALTRAIL_TRAIL_URL='postgres://trail_owner:…'",
    shows: /reports/,
    instead: [
      {
        part: "'postgres://trail_owner:…'",
        by: '"$DB/waltrail_trail"',
        because: 'it has an address left out',
      },
    ],
  },
  {
    document: 'docs/operations.md',
    begins: 'npx waltrail gaps            # from which position',
    shows: /gap[^]*agree/i,
  },
  { document: 'docs/operations.md', begins: 'npx waltrail verify --quick', shows: /agree/ },
  { document: 'docs/internals/finding-entries.md', begins: 'npx waltrail verify --quick', shows: /agree/ },
  {
    document: 'docs/operations.md',
    begins: 'npx waltrail drop ',
    first: 'kill $! && wait $! || true',
    shows: /publication/,
  },
  {
    document: 'docs/install.md',
    begins: 'npx waltrail drop --yes',
    shows: /DROP DATABASE[^]*DROP ROLE/,
  },
];

const SYSTEMD = 'it needs systemd and root, and changes the machine';
const INSTALLS =
  'it installs for the whole machine; test/pg/package.spec.ts installs the package in a folder';

/** Blocks that no test types. */
const NOT_TYPED: readonly (Named & { readonly because: string })[] = [
  { document: 'docs/install.md', begins: 'npm ci\n', because: INSTALLS },
  { document: 'docs/install.md', begins: 'sudo useradd', because: SYSTEMD },
  {
    document: 'docs/install.md',
    begins: 'WALTRAIL_SOURCE_URL=postgres://waltrail_capture',
    because: 'it is a file',
  },
  { document: 'docs/install.md', begins: 'sudo systemd-run', because: SYSTEMD },
  { document: 'docs/install.md', begins: 'in_service()', because: SYSTEMD },
  { document: 'docs/install.md', begins: 'sudo install -m 0600', because: SYSTEMD },
  { document: 'docs/install.md', begins: 'WALTRAIL_CONFIG=/etc/waltrail', because: 'it is a file' },
  { document: 'docs/install.md', begins: 'as_superuser()', because: SYSTEMD },
  { document: 'docs/install.md', begins: 'sudo cp', because: SYSTEMD },
  {
    document: 'docs/operations.md',
    begins: 'psql -h audit.example.com',
    because: 'the embedded PostgreSQL comes without pg_dump; test/pg/capture-gaps.spec.ts restores a trail',
  },
  {
    document: 'docs/operations.md',
    begins: 'REDIS_URL=',
    because: 'test/pg/roles.spec.ts runs one process for each role, with Redis',
  },
  { document: 'test/bench/README.md', begins: 'npm run bench -- [name', because: 'it is a synopsis' },
  {
    document: 'test/bench/README.md',
    begins: 'npm run bench -- --changes',
    because: 'it takes four minutes',
  },
  { document: 'test/faults/README.md', begins: 'npm run test:guards', because: 'it takes half an hour' },
  {
    document: 'test/faults/README.md',
    begins: 'WALTRAIL_TEST_SEED',
    because: 'test/faults/campaign.spec.ts does the same',
  },
];

test('every shell block of the documents is typed by a test, or listed with the reason why not', async () => {
  const known = [...README, ...manual(''), ...NOT_TYPED];
  const uses = known.map(() => 0);
  const unknown: string[] = [];
  for (const { document, line, text } of await shellBlocks()) {
    const at = known.findIndex((named) => named.document === document && text.startsWith(named.begins));
    if (at < 0) unknown.push(`${document}:${line}`);
    else uses[at]!++;
  }
  expect(unknown).toEqual([]);
  expect(known.filter((_, index) => uses[index] !== 1)).toEqual([]);
});

const hasPrograms = ['bash', 'curl', 'psql'].every((name) => findProgram([name]) !== undefined);
const typed = hasPrograms || process.env.CI === 'true' ? test : test.skip;

typed('the commands of the README work as written (needs psql)', async () => {
  await using folder = await checkout();
  await using shell = openShell(folder.path, { WALTRAIL_PORT: '0' });
  const wait = async (): Promise<void> => {
    const file = path.join(folder.path, '.waltrail/run.json');
    await eventually('npm start is ready', () => readFile(file).then(Boolean, () => false));
  };
  await typeAll(shell, README, { 'npm start': wait });
});

/** The test types about forty commands. Each starts Node.js. */
const MANUAL_LIMIT_MS = 600_000;

typed(
  'the commands of the manual work as written (needs psql)',
  async () => {
    await using server = await ownServer('shop', { wal_level: 'logical' });
    await using folder = await checkout();
    await server.database.query(
      `create table agents (id int primary key, full_name text not null, blocked boolean not null default false,
                          updated_by int references agents, updated_at timestamptz not null default now());
     create table orders (id int primary key, agent_id int not null references agents, state text not null);
     insert into agents values (2, 'Omer Katz'), (7, 'Dana Levi');
     insert into orders values (1, 2, 'new')`,
    );
    await using shell = openShell(folder.path, { WALTRAIL_PORT: '0', PATH: await pathWithNpx(folder.path) });
    const change = async (): Promise<void> => {
      const log = path.join(folder.path, 'start.log');
      const isReady = async (): Promise<boolean> => {
        const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(await readFile(log, 'utf8').catch(() => '')) ?? [];
        return url !== undefined && (await fetch(`${url}/readyz`)).ok;
      };
      await eventually('capture streams', () => isReady().catch(() => false));
      await server.database.query('update agents set blocked = true, updated_by = 7 where id = 2');
    };
    await typeAll(shell, manual(server.database.url.replace(/\/[^/]*$/, '')), {
      'npx waltrail init': change,
    });
  },
  MANUAL_LIMIT_MS,
);

/**
 * Returns a PATH on which `npx` runs the program at once, as npx does after a second. The test of the README
 * has npx itself.
 */
async function pathWithNpx(folder: string): Promise<string> {
  const bin = path.join(folder, 'bin');
  await mkdir(bin);
  await writeFile(path.join(bin, 'npx'), '#!/bin/sh\nshift\nexec node dist/cli/cli.js "$@"\n', {
    mode: 0o755,
  });
  return `${bin}:${process.env.PATH ?? ''}`;
}

/** Types blocks one after the other; `then` follows the block that begins with its key. */
async function typeAll(
  shell: Shell,
  steps: readonly Step[],
  then: Readonly<Record<string, () => Promise<void>>>,
): Promise<void> {
  const blocks = await shellBlocks();
  for (const { document, begins, shows, fails = [], first = '', instead = [] } of steps) {
    const block = blocks.find((other) => other.document === document && other.text.startsWith(begins));
    let commands = block!.text;
    for (const { part, by } of instead) {
      expect(commands).toContain(part);
      commands = commands.replace(part, () => by);
    }
    const { output, failed } = await shell.type(`${first}\n${commands}`);
    const where = `${document}:${block!.line}`;
    expect({ where, failed, output }).toEqual({ where, failed: fails, output: expect.stringMatching(shows) });
    await then[begins]?.();
  }
}

/** A folder with what the commands use of the repository, and room for what they write. */
async function checkout(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-documents-'));
  // Open to the account that PostgreSQL runs as.
  await chmod(folder, 0o755);
  for (const name of ['package.json', 'node_modules', 'scripts', 'dist', 'sql', 'config'])
    await symlink(path.join(REPOSITORY, name), path.join(folder, name));
  return { path: folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
