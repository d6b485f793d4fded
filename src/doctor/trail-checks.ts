import { ERROR_CODES, type WaltrailError } from '../errors.js';
import { formatBytes, formatDuration } from '../tracking/format.js';
import { listNames } from '../tracking/list-names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { fail, pass, warn, type Check } from './check.js';
import type { TrailFacts } from './trail-facts.js';

/**
 * Seconds without a report after which capture counts as silent. It reports its position every ten seconds.
 */
const SILENT_S = 60;
/**
 * Days ahead below which too few partitions exist. Each hour, partitions are created for seven days ahead.
 */
const FEW_DAYS = 2;

/** Checks whether the trail is complete, is maintained, and is written with this configuration. */
export function trailChecks(
  facts: TrailFacts | undefined,
  { config }: { readonly config: TrackingConfig },
): Check[] {
  if (facts === undefined)
    return [pass('trail.begun', 'no trail has begun in this database; the first start creates it')];
  if (facts.source !== config.source.name)
    return [
      fail(
        'trail.begun',
        `The trail belongs to source ${facts.source}, but the YAML names ${config.source.name}.`,
        ERROR_CODES.TRAIL_OTHER_SOURCE.remedy,
      ),
    ];
  return [
    pass('trail.begun', `${facts.entries.toLocaleString('en')} entries, ${formatBytes(facts.bytes)}`),
    captureCheck(facts),
    gapCheck(facts),
    configurationCheck(facts, config),
    partitionCheck(facts),
    retentionCheck(facts, config),
    ...baselineCheck(facts),
  ];
}

/** Checks the baselines. Returns nothing if there are none. */
function baselineCheck({ baselines }: TrailFacts): Check[] {
  const id = 'trail.baselines';
  if (baselines.length === 0) return [];
  const large = baselines.filter(({ outcome }) => outcome !== 'taken');
  const count = baselines.length - large.length;
  const entries = baselines.reduce((sum, one) => sum + one.entries, 0).toLocaleString('en');
  if (large.length === 0)
    return [
      pass(id, `the baselines of ${count} ${count === 1 ? 'table' : 'tables'} are taken: ${entries} entries`),
    ];
  const named = large.map(({ table, outcome, maxRows }) =>
    outcome === 'too many rows' ? `${table} (more than ${maxRows} rows)` : `${table} (rows too large)`,
  );
  return [
    warn(
      id,
      `Too large for a baseline: ${listNames(named)}.`,
      'Set max_rows under "baseline" of these tables, or set "baseline: false".',
    ),
  ];
}

function captureCheck({ capture, currentUntil, saidSecondsAgo, gaps }: TrailFacts): Check {
  const id = 'trail.capture';
  if (capture === null)
    return gaps.stream
      ? fail(
          id,
          'Capture is stopped at a gap of the whole stream.',
          'Run waltrail gaps, which says what to do.',
        )
      : fail(
          id,
          'No process captures into this trail.',
          'Start Waltrail (waltrail start). If it runs, it waits because of an error, which its log and GET /v1/status state.',
        );
  const who = `a process ${capture.address === null ? 'of this machine' : `at ${capture.address}`} has captured since ${capture.since}`;
  if (saidSecondsAgo === null || saidSecondsAgo > SILENT_S)
    return fail(
      id,
      `${who[0]!.toUpperCase()}${who.slice(1)}, but has not reported ${saidSecondsAgo === null ? 'yet' : `for ${formatDuration(saidSecondsAgo)}`} that the trail is current.`,
      'Read its status (GET /v1/status, "error") or its log: it has no connection to the source, or waits.',
    );
  return pass(id, `${who}; current until ${currentUntil ?? 'a time that is not known yet'}`);
}

function gapCheck({ gaps: { open, accepted } }: TrailFacts): Check {
  const id = 'trail.gaps';
  if (open > 0)
    return fail(
      id,
      `${open} ${open === 1 ? 'gap is' : 'gaps are'} open: changes may be missing.`,
      'Run waltrail gaps, which says for each what to do.',
    );
  if (accepted > 0)
    return warn(
      id,
      `${accepted} accepted ${accepted === 1 ? 'gap has' : 'gaps have'} not ended: changes of named tables are still missing.`,
      'Run waltrail gaps, which says for each what to do.',
    );
  return pass(id, 'no gap is open');
}

function configurationCheck({ configuration }: TrailFacts, { definition }: TrackingConfig): Check {
  const id = 'trail.configuration';
  if (configuration === null) return pass(id, 'this file takes effect at the first start');
  if (configuration === definition.digest) return pass(id, 'the configuration in this file is in effect');
  return warn(
    id,
    'Another configuration than that in this file is in effect.',
    'Run: waltrail plan, then waltrail apply (if it has steps), then waltrail reload',
  );
}

function partitionCheck({ daysAhead }: TrailFacts): Check {
  const id = 'trail.partitions';
  if (daysAhead >= FEW_DAYS) return pass(id, `partitions exist for the next ${daysAhead} days`);
  return fail(
    id,
    `Partitions for entries exist for ${daysAhead < 0 ? 'no day from now' : `${daysAhead + 1} days only`}: housekeeping does not run.`,
    'Search the log of Waltrail for "housekeeping failed", or run on the trail: select trail.ensure_partitions(7);',
  );
}

function retentionCheck({ retentionFloor }: TrailFacts, { trail: { retentionDays } }: TrackingConfig): Check {
  const id = 'trail.retention';
  if (retentionDays === null) return pass(id, 'entries are kept forever');
  if (retentionFloor !== null && retentionDays < retentionFloor)
    return warn(
      id,
      `The YAML keeps entries for ${retentionDays} days, but the floor of the trail is ${retentionFloor} days. Entries are kept for ${retentionFloor} days.`,
      ERROR_CODES.TRAIL_RETENTION_FLOOR.remedy,
    );
  return pass(id, `entries are kept for ${retentionDays} days`);
}

/** Checks the logins that use the roles of the trail. */
export function loginChecks({
  troubles,
  shared,
  sql,
}: {
  readonly troubles: readonly WaltrailError[];
  /** Roles whose login may do more than the role. */
  readonly shared: readonly string[];
  /** Statements that create a login for each of these roles. */
  readonly sql: string;
}): Check[] {
  const id = 'trail.logins';
  if (troubles.length > 0) return troubles.map(({ message, remedy }) => fail(id, message, remedy));
  if (shared.length === 0) return [pass(id, 'the login of each role may do no more than the role')];
  return [
    warn(
      id,
      `The login for the trail may do more than the roles ${shared.join(', ')}.`,
      `To give each role its own login, run this on the trail, and name the logins in trail.urls:\n${sql}`,
    ),
  ];
}
