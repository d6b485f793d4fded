import { describe, expect, test } from '@jest/globals';
import type { Look, SourceLook } from '../../src/doctor/look.js';
import { statusOf, type Status } from '../../src/doctor/status.js';
import { statusText } from '../../src/doctor/status-text.js';
import type { TrailStanding } from '../../src/doctor/trail-facts.js';
import { WaltrailError } from '../../src/errors.js';
import { parseConfig } from '../../src/tracking/load.js';

const MB = 1024 ** 2;
const config = parseConfig({
  text: 'source: { name: crm, url: "postgres://a/b", slot: one }\ntrail: { url: "postgres://a/c" }\ntables: { public.t: { entity: t } }\n',
  file: 'w.yaml',
  environment: {},
});

const source: SourceLook = {
  at: '2026-11-30T12:00:00.000000Z',
  lsn: 0x1000_0000n,
  slot: {
    name: 'one',
    active: true,
    invalidated: null,
    keptBytes: 16 * MB,
    unacknowledgedBytes: MB,
    leftBytes: 100 * MB,
    idleSeconds: null,
    failover: null,
  },
  keepBytes: 1024 * MB,
  walBytesPerSecond: null,
  walFilesBytes: null,
  idleTimeoutSeconds: null,
  standbys: 0,
};
const trail: TrailStanding = {
  source: 'crm',
  slot: 'one',
  endLsn: '0/FF00000',
  entries: 12_000,
  lastEntryAt: '2026-11-30T11:59:00Z',
  currentUntil: '2026-11-30T11:59:57.000000Z',
  saidSecondsAgo: 3,
  capture: { address: '10.0.0.7', pid: 4711, since: '2026-11-29T08:00:00Z' },
  gaps: { open: 0, accepted: 0, stream: false },
  configuration: config.definition.digest,
};
const GONE = new WaltrailError('PG_UNREACHABLE', 'It cannot be reached.');

const looked = (look: Partial<Look>, seconds = 10): Look => ({
  source,
  trail,
  madeAtMs: 1_000 * seconds,
  ...look,
});
const status = (now: Partial<Look>, before: Partial<Look> | null = {}): Status =>
  statusOf({
    config,
    before: before === null ? null : looked(before, 0),
    now: looked(now),
    recent: [{ entityType: 't', entries: 1_200 }],
  });
const withSlot = (slot: Partial<SourceLook['slot']>, more: Partial<SourceLook> = {}): SourceLook => ({
  ...source,
  ...more,
  slot: { ...source.slot!, ...slot },
});

describe('status', () => {
  test('shows the lag in bytes and time, and the WAL rate between two looks', () => {
    const found = status({ source: { ...source, lsn: source.lsn + 20n * BigInt(MB) } });
    expect(found).toMatchObject({
      state: 'streaming',
      lagBytes: 21 * MB,
      lagSeconds: 3,
      walBytesPerSecond: 2 * MB,
      configuration: 'in effect',
      unreachable: [],
    });
    expect(statusText(found)).toMatch(/\nlag +21\.0 MB, 3 s .*2\.0 MB\/s of WAL\n/);
  });

  test.each([
    [
      'from the rate at which the space shrinks',
      100,
      90,
      {},
      { is: 'in sight', seconds: 90, leftBytes: 90 * MB },
    ],
    [
      'not foreseeable while the space does not shrink',
      90,
      100,
      {},
      { is: 'not at the present rate', leftBytes: 100 * MB },
    ],
    ['now, because no space is left', 1, -1, {}, { is: 'in sight', seconds: 0, leftBytes: -MB }],
    ['never without a limit', null, null, { keepBytes: null }, { is: 'never' }],
    [
      'from the time without a reader',
      null,
      null,
      { keepBytes: null, idleTimeoutSeconds: 600 },
      { is: 'in sight', seconds: 200, leftBytes: null },
    ],
  ] as const)('predicts when the slot is invalidated: %s', (_, before, after, more, expected) => {
    const bytes = (left: number | null) => (left === null ? null : left * MB);
    const idleSeconds = 'idleTimeoutSeconds' in more ? 400 : null;
    const found = status(
      { source: withSlot({ leftBytes: bytes(after), idleSeconds }, more) },
      { source: withSlot({ leftBytes: bytes(before) }, more) },
    );
    expect(found.slot?.invalidation).toEqual(expected);
  });

  test('does not predict after only one look, and reports a slot that was invalidated', () => {
    expect(status({}, null).slot?.invalidation).toEqual({ is: 'unknown' });
    expect(status({ source: withSlot({ invalidated: 'wal_removed' }) }).slot?.invalidation).toEqual({
      is: 'invalidated',
      reason: 'wal_removed',
    });
  });

  test.each([
    ['nobody captures', { trail: { ...trail, capture: null } }],
    [
      'stopped at a gap',
      { trail: { ...trail, capture: null, gaps: { open: 1, accepted: 0, stream: true } } },
    ],
    ['silent', { trail: { ...trail, saidSecondsAgo: 31 } }],
    ['not begun', { trail: null }],
    ['unknown', { trail: GONE }],
    ['streaming', { source: GONE }],
  ] as const)('reports the state "%s"', (state, look) => {
    const found = status(look);
    expect(found.state).toBe(state);
    expect(statusText(found)).toContain('capture ');
  });

  test.each([
    ['there is none yet', { trail: null }],
    ['there is none', { trail: GONE }],
    ['there is none: changes are lost until capture resumes with a new one', {}],
  ])('says of a slot that does not exist: %s', (text, look) => {
    const found = status({ source: { ...source, slot: undefined }, ...look });
    expect(statusText(found)).toMatch(new RegExp(`\\nslot +${text}\\n`));
  });

  test('shows what one side reports if the other does not answer', () => {
    const text = statusText(status({ source: GONE }));
    expect(text).toMatch(/\nslot +not known\n/);
    expect(text).toMatch(/\nentries +12,000; last commit at 2026-11-30T11:59:00Z\n/);
    expect(text).toMatch(/\nsource +does not answer: It cannot be reached\./);
    const noTrail = status({ trail: GONE });
    expect(noTrail).toMatchObject({ lagBytes: null, lagSeconds: null, slot: { keptBytes: 16 * MB } });
    expect(statusText(noTrail)).toMatch(/\nlag +bytes not known, time not known/);
  });
});
