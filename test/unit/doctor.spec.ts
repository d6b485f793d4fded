import { describe, expect, test } from '@jest/globals';
import type { Check } from '../../src/doctor/check.js';
import { serverChecks } from '../../src/doctor/server-checks.js';
import type { ServerFacts } from '../../src/doctor/server-facts.js';
import { slotChecks } from '../../src/doctor/slot-checks.js';
import type { SlotFacts, SourceFacts } from '../../src/doctor/source-facts.js';
import { trailChecks } from '../../src/doctor/trail-checks.js';
import type { TrailFacts } from '../../src/doctor/trail-facts.js';
import type { Catalog, CatalogServer } from '../../src/tracking/catalog.js';
import { parseConfig } from '../../src/tracking/load.js';
import { serverProblems } from '../../src/tracking/server.js';

const MB = 1024 ** 2;
const GB = 1024 ** 3;
const NOW = new Date('2026-11-30T12:00:00Z');

const config = parseConfig({
  text: 'source: { name: crm, url: "postgres://a/b", slot: one }\ntrail: { url: "postgres://a/c", retention: 90d }\ntables: { public.t: { entity: t } }\n',
  file: 'w.yaml',
  environment: {},
});

const outcomeOf = (checks: readonly Check[], id: string): string | undefined =>
  checks.find((check) => check.id === id)?.outcome;
const saysOf = (checks: readonly Check[], id: string): string =>
  checks
    .filter((check) => check.id === id)
    .map(({ says, remedy }) => `${says} ${remedy ?? ''}`)
    .join('\n');

describe('a server', () => {
  const sound: ServerFacts = {
    version: 180_004,
    database: 'app',
    role: 'waltrail',
    inRecovery: false,
    encrypted: true,
    local: false,
    unsafe: false,
    clockAheadMs: 40,
  };
  const checked = (facts: Partial<ServerFacts>, side: 'source' | 'trail' = 'source'): Check[] =>
    serverChecks({ ...sound, ...facts }, { side, now: NOW });

  test('passes every check if nothing is wrong', () => {
    expect(checked({}).map(({ outcome }) => outcome)).toEqual(['pass', 'pass', 'pass', 'pass']);
  });

  test.each([
    ['version', { version: 140_020 }, 'warn', '14.20: the last release of PostgreSQL 14 was on 2026-11-12'],
    ['tls', { encrypted: false }, 'warn', 'sslmode=verify-full'],
    ['clock', { clockAheadMs: -95_000 }, 'warn', '1 min 35 s behind'],
    ['clock', { clockAheadMs: 3_000 }, 'warn', '3 s ahead of'],
    ['durability', { unsafe: true }, 'warn', "alter system set fsync = 'on'"],
  ] as const)('reports a problem with its %s (%j)', (aspect, facts, outcome, text) => {
    const checks = checked(facts);
    expect(outcomeOf(checks, `source.${aspect}`)).toBe(outcome);
    expect(saysOf(checks, `source.${aspect}`)).toContain(text);
  });

  test('needs no encryption on the same machine, and no newer version while its own is supported', () => {
    expect(outcomeOf(checked({ encrypted: false, local: true }), 'source.tls')).toBe('pass');
    expect(outcomeOf(checked({ version: 150_010 }), 'source.version')).toBe('pass');
    expect(outcomeOf(checked({ version: 210_001 }), 'source.version')).toBe('pass');
  });

  test('fails as a trail if it may lose commits', () => {
    expect(outcomeOf(checked({ unsafe: true }, 'trail'), 'trail.durability')).toBe('fail');
  });
});

describe('wal_level', () => {
  const problemOf = (server: Pick<CatalogServer, 'version' | 'walLevel'>) =>
    serverProblems({
      config,
      catalog: {
        server: { ...server, inRecovery: false, maxSlots: 10, maxSenders: 10, senders: 0, database: 'app' },
        role: { name: 'waltrail', replication: true },
        slots: [],
      } as unknown as Catalog,
    }).wal_level?.code;

  test('has to be logical; from PostgreSQL 19 on, a level that the first slot raises is enough', () => {
    expect(problemOf({ version: 180_004, walLevel: 'logical' })).toBeUndefined();
    expect(problemOf({ version: 180_004, walLevel: 'replica' })).toBe('SOURCE_WAL_LEVEL');
    expect(problemOf({ version: 190_000, walLevel: 'replica' })).toBeUndefined();
    expect(problemOf({ version: 190_000, walLevel: 'minimal' })).toBe('SOURCE_WAL_LEVEL');
  });
});

describe('a slot', () => {
  const slot: SlotFacts = {
    name: 'one',
    active: true,
    invalidated: null,
    keptBytes: 3 * MB,
    unacknowledgedBytes: 1 * MB,
    leftBytes: 40 * GB,
    idleSeconds: null,
    failover: true,
  };
  const facts: SourceFacts = {
    slot,
    keepBytes: 50 * GB,
    walBytesPerSecond: 1 * MB,
    walFilesBytes: 2 * GB,
    idleTimeoutSeconds: null,
    standbys: 0,
  };
  const checked = (
    other: Partial<SourceFacts>,
    ofSlot: Partial<SlotFacts> | undefined = {},
    { version = 180_004, begun = true }: { readonly version?: number; readonly begun?: boolean } = {},
  ): Check[] =>
    slotChecks(
      { ...facts, ...other, slot: 'slot' in other ? other.slot : { ...slot, ...ofSlot } },
      { slot: 'one', version, begun },
    );

  test('passes if it is read and has WAL to spare', () => {
    const checks = checked({});
    expect(checks.map(({ outcome }) => outcome)).toEqual(['pass', 'pass', 'pass', 'pass']);
    expect(saysOf(checks, 'source.wal_keep')).toContain('50.0 GB of WAL, 14 h 13 min at its average rate');
  });

  test('passes if it does not exist yet, because the first start creates it', () => {
    const checks = checked({ slot: undefined }, {}, { begun: false });
    expect(outcomeOf(checks, 'source.slot')).toBe('pass');
    expect(outcomeOf(checks, 'source.backlog')).toBeUndefined();
  });

  test('fails if it no longer exists although a trail was begun from it', () => {
    const checks = checked({ slot: undefined });
    expect(outcomeOf(checks, 'source.slot')).toBe('fail');
    expect(saysOf(checks, 'source.slot')).toContain('changes are being lost');
  });

  test('warns if nobody reads it, and fails if it was invalidated', () => {
    const idle = checked({}, { active: false, idleSeconds: 7_200 });
    expect(outcomeOf(idle, 'source.slot')).toBe('warn');
    expect(saysOf(idle, 'source.slot')).toContain('for 2 h');
    const lost = checked({}, { invalidated: 'wal_removed' });
    expect(outcomeOf(lost, 'source.slot')).toBe('fail');
    expect(saysOf(lost, 'source.slot')).toContain('waltrail gaps --accept');
    expect(outcomeOf(lost, 'source.backlog')).toBeUndefined();
  });

  test('warns about a backlog, and fails if it will soon be invalidated', () => {
    expect(outcomeOf(checked({}, { unacknowledgedBytes: GB }), 'source.backlog')).toBe('warn');
    const soon = checked({}, { unacknowledgedBytes: 44 * GB, leftBytes: 6 * GB });
    expect(outcomeOf(soon, 'source.backlog')).toBe('fail');
    expect(saysOf(soon, 'source.backlog')).toContain('After another 6.0 GB, about 1 h 42 min');
    expect(outcomeOf(checked({}, { leftBytes: -MB }), 'source.backlog')).toBe('fail');
  });

  test('warns about the disk of the source if no limit is set', () => {
    const checks = checked({ keepBytes: null }, { leftBytes: null });
    expect(outcomeOf(checks, 'source.wal_keep')).toBe('warn');
    expect(saysOf(checks, 'source.wal_keep')).toContain('about 84.4 GB a day');
    expect(saysOf(checked({ keepBytes: null, walBytesPerSecond: null }), 'source.wal_keep')).not.toContain(
      'a day',
    );
  });

  test('warns about a limit of idle time, and fails when that is near', () => {
    expect(outcomeOf(checked({ idleTimeoutSeconds: 86_400 }), 'source.idle_timeout')).toBe('warn');
    const idle = checked({ idleTimeoutSeconds: 86_400 }, { active: false, idleSeconds: 50_000 });
    expect(outcomeOf(idle, 'source.idle_timeout')).toBe('fail');
  });

  test('warns if it would be lost in a failover', () => {
    expect(outcomeOf(checked({ standbys: 1 }), 'source.failover')).toBe('pass');
    expect(saysOf(checked({ standbys: 1 }), 'source.failover')).toContain('synchronized_standby_slots');
    const left = checked({ standbys: 2 }, { failover: false });
    expect(outcomeOf(left, 'source.failover')).toBe('warn');
    expect(saysOf(left, 'source.failover')).toContain('ALTER_REPLICATION_SLOT "one" (FAILOVER true)');
    expect(
      outcomeOf(checked({ standbys: 1 }, { failover: null }, { version: 160_010 }), 'source.failover'),
    ).toBe('warn');
  });
});

describe('a trail', () => {
  const facts: TrailFacts = {
    source: 'crm',
    slot: 'one',
    endLsn: '0/1',
    entries: 12_000,
    lastEntryAt: '2026-11-30T11:59:00Z',
    currentUntil: '2026-11-30T11:59:58Z',
    saidSecondsAgo: 3,
    capture: { address: '10.0.0.7', pid: 4711, since: '2026-11-29T08:00:00Z' },
    gaps: { open: 0, accepted: 0, stream: false },
    configuration: config.definition.digest,
    daysAhead: 7,
    retentionFloor: 30,
    bytes: GB,
    baselines: [],
  };
  const checked = (other: Partial<TrailFacts>): Check[] => trailChecks({ ...facts, ...other }, { config });

  test('names the tables with a baseline, and those that are too large for one', () => {
    const of = { table: 'public.roles', outcome: 'taken', maxRows: 10_000, entries: 12 } as const;
    expect(checked({ baselines: [of] }).at(-1)).toMatchObject({
      outcome: 'pass',
      says: 'the baselines of 1 table are taken: 12 entries',
    });
    const large = { ...of, table: 'public.orders', outcome: 'too many rows', entries: 0 } as const;
    expect(checked({ baselines: [of, large] }).at(-1)).toMatchObject({
      outcome: 'warn',
      says: 'Too large for a baseline: public.orders (more than 10000 rows).',
    });
  });

  test('passes every check if nothing is wrong', () => {
    expect(new Set(checked({}).map(({ outcome }) => outcome))).toEqual(new Set(['pass']));
    expect(trailChecks(undefined, { config })).toHaveLength(1);
  });

  test.each([
    ['begun', { source: 'other' }, 'fail', 'source other'],
    ['capture', { capture: null }, 'fail', 'waltrail start'],
    ['capture', { capture: null, gaps: { open: 1, accepted: 0, stream: true } }, 'fail', 'stopped at a gap'],
    ['capture', { saidSecondsAgo: 600 }, 'fail', 'for 10 min'],
    ['gaps', { gaps: { open: 2, accepted: 1, stream: false } }, 'fail', '2 gaps are open'],
    ['gaps', { gaps: { open: 0, accepted: 1, stream: false } }, 'warn', '1 accepted gap has not ended'],
    ['configuration', { configuration: 'f00' }, 'warn', 'waltrail reload'],
    ['partitions', { daysAhead: 0 }, 'fail', 'ensure_partitions'],
    ['retention', { retentionFloor: 365 }, 'warn', '365 days'],
  ] as const)('reports a problem with its %s (%j)', (aspect, other, outcome, text) => {
    const checks = checked(other);
    expect(outcomeOf(checks, `trail.${aspect}`)).toBe(outcome);
    expect(saysOf(checks, `trail.${aspect}`)).toContain(text);
  });
});
