import { ERROR_CODES, type WaltrailError } from '../errors.js';
import { formatBytes, formatDuration } from '../tracking/format.js';
import { listNames } from '../tracking/list-names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { fail, pass, warn, type Check } from './check.js';
import type { TrailFacts } from './trail-facts.js';

/** Capture says every ten seconds how far it is. */
const SILENT_S = 60;
/** Partitions are made for seven days ahead, every hour. */
const FEW_DAYS = 2;

/** Whether the trail has everything, is kept and is written by this configuration. */
export function trailChecks(
  facts: TrailFacts | undefined,
  { config }: { readonly config: TrackingConfig },
): Check[] {
  if (facts === undefined)
    return [pass('trail.begun', 'no trail has begun in this database; the first start makes it')];
  if (facts.source !== config.source.name)
    return [
      fail(
        'trail.begun',
        `The trail is that of source ${facts.source}, and the YAML names ${config.source.name}.`,
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

/** Nothing where the YAML asks for none. */
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
      'Say max_rows under baseline of these tables, or baseline: false.',
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
          'See waltrail gaps, which says what to do.',
        )
      : fail(
          id,
          'Nobody captures into this trail.',
          'Start Waltrail (waltrail start). If it runs, it waits because of an error, which its log and GET /v1/status name.',
        );
  const who = `a process ${capture.address === null ? 'of this machine' : `at ${capture.address}`} captures since ${capture.since}`;
  if (saidSecondsAgo === null || saidSecondsAgo > SILENT_S)
    return fail(
      id,
      `${who[0]!.toUpperCase()}${who.slice(1)}, and has not been able to say for ${saidSecondsAgo === null ? 'as long' : formatDuration(saidSecondsAgo)} that the trail is current.`,
      'Look at its status (GET /v1/status, "error") or its log: it has no connection to the source, or waits.',
    );
  return pass(id, `${who}; current until ${currentUntil ?? 'a time that is not known yet'}`);
}

function gapCheck({ gaps: { open, accepted } }: TrailFacts): Check {
  const id = 'trail.gaps';
  if (open > 0)
    return fail(
      id,
      `${open} ${open === 1 ? 'gap is' : 'gaps are'} open: changes may be missing.`,
      'See waltrail gaps, which says for each what to do.',
    );
  if (accepted > 0)
    return warn(
      id,
      `${accepted} accepted ${accepted === 1 ? 'gap lasts' : 'gaps last'}: of its tables changes are still missing.`,
      'See waltrail gaps, which says for each what to do.',
    );
  return pass(id, 'no gap is open');
}

function configurationCheck({ configuration }: TrailFacts, { definition }: TrackingConfig): Check {
  const id = 'trail.configuration';
  if (configuration === null) return pass(id, 'entries are made by this file from the first start on');
  if (configuration === definition.digest) return pass(id, 'entries are made by this file');
  return warn(
    id,
    'Entries are made by another configuration than that of this file.',
    'Run: waltrail plan, then waltrail apply (if it has steps), then waltrail reload',
  );
}

function partitionCheck({ daysAhead }: TrailFacts): Check {
  const id = 'trail.partitions';
  if (daysAhead >= FEW_DAYS) return pass(id, `there is room for entries of the next ${daysAhead} days`);
  return fail(
    id,
    `There is room for entries of ${daysAhead < 0 ? 'no day' : `${daysAhead + 1} more days`} only: housekeeping does not run.`,
    'Look into the log of Waltrail for "housekeeping failed", or run on the trail: select trail.ensure_partitions(7);',
  );
}

function retentionCheck({ retentionFloor }: TrailFacts, { trail: { retentionDays } }: TrackingConfig): Check {
  const id = 'trail.retention';
  if (retentionDays === null) return pass(id, 'entries are kept forever');
  if (retentionFloor !== null && retentionDays < retentionFloor)
    return warn(
      id,
      `The YAML keeps entries for ${retentionDays} days, and the floor of the trail is ${retentionFloor} days, which counts.`,
      ERROR_CODES.TRAIL_RETENTION_FLOOR.remedy,
    );
  return pass(id, `entries are kept for ${retentionDays} days`);
}

/** Of the logins by which roles of the trail are used. */
export function loginChecks({
  troubles,
  shared,
  sql,
}: {
  readonly troubles: readonly WaltrailError[];
  /** Roles that are used by a login which may do more. */
  readonly shared: readonly string[];
  /** Makes a login for each of these. */
  readonly sql: string;
}): Check[] {
  const id = 'trail.logins';
  if (troubles.length > 0) return troubles.map(({ message, remedy }) => fail(id, message, remedy));
  if (shared.length === 0) return [pass(id, 'each role has a login that may do no more')];
  return [
    warn(
      id,
      `The trail is used by a login that may do more than ${shared.join(', ')}.`,
      `To give each role a login of its own, which trail.urls then names, run on the trail:\n${sql}`,
    ),
  ];
}
