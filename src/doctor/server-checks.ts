import { formatDuration } from '../tracking/format.js';
import { fail, pass, warn, type Check } from './check.js';
import type { ServerFacts } from './server-facts.js';

/**
 * Date of the last release of each major version (https://www.postgresql.org/support/versioning/). Later
 * major versions are supported for five years.
 */
const LAST_RELEASES: Readonly<Record<number, string>> = {
  14: '2026-11-12',
  15: '2027-11-11',
  16: '2028-11-09',
  17: '2029-11-08',
  18: '2030-11-14',
};

/** Clocks that differ by less are accurate enough: reports show seconds. */
const CLOCK_LIMIT_MS = 2_000;

/**
 * Checks a server for what is required of the source and the trail alike.
 *
 * @param side `source` or `trail`, like the keys of the YAML
 * @param now the time for checks that depend on the date
 */
export function serverChecks(
  facts: ServerFacts,
  { side, now }: { readonly side: 'source' | 'trail'; readonly now: Date },
): Check[] {
  return [
    versionCheck(facts, { side, now }),
    tlsCheck(facts, side),
    clockCheck(facts, side),
    durabilityCheck(facts, side),
  ];
}

function versionCheck(
  { version }: ServerFacts,
  { side, now }: { readonly side: string; readonly now: Date },
): Check {
  const id = `${side}.version`;
  const major = Math.floor(version / 10_000);
  const name = `PostgreSQL ${major}.${version % 10_000}`;
  const last = LAST_RELEASES[major];
  if (last === undefined || now < new Date(last)) return pass(id, name);
  return warn(
    id,
    `${name}: the last release of PostgreSQL ${major} was on ${last}. Its faults are no longer fixed.`,
    'Upgrade the server. Waltrail also works with this version.',
  );
}

function tlsCheck({ encrypted, local }: ServerFacts, side: string): Check {
  const id = `${side}.tls`;
  if (encrypted) return pass(id, 'the connection is encrypted');
  if (local) return pass(id, 'the connection stays on this machine');
  return warn(
    id,
    'The connection is not encrypted: passwords and rows can be read on the network.',
    `Add sslmode=verify-full (and sslrootcert=…) to ${side}.url.`,
  );
}

function clockCheck({ clockAheadMs }: ServerFacts, side: string): Check {
  const id = `${side}.clock`;
  const aheadMs = Math.abs(clockAheadMs);
  if (aheadMs < CLOCK_LIMIT_MS) return pass(id, "the clock agrees with this machine's");
  return warn(
    id,
    `The clock of the ${side} is ${formatDuration(aheadMs / 1000)} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} this machine's: ` +
      'ranges such as the last minutes, and how current the trail is, depend on both.',
    'Synchronize both clocks (chrony, systemd-timesyncd).',
  );
}

function durabilityCheck({ unsafe }: ServerFacts, side: string): Check {
  const id = `${side}.durability`;
  if (!unsafe) return pass(id, 'committed data survives a crash');
  const says = 'fsync is off: a crash of the machine can lose committed data or damage the database.';
  const remedy = "Run: alter system set fsync = 'on'; select pg_reload_conf();";
  return side === 'trail' ? fail(id, says, remedy) : warn(id, says, remedy);
}
