import { describe, expect, test } from '@jest/globals';
import { withCapture } from '../../src/admin/routes/coverage.js';
import { Currency } from '../../src/capture/currency.js';
import type { CaptureStatus } from '../../src/pipeline/capture-status.js';
import { coveredPart } from '../../src/trail/read/covered.js';
import type { TrailCoverage } from '../../src/trail/read/entry.js';
import { recordingOf, uncovered } from '../../src/web/texts/coverage-texts.ts';

const day = (number: number): string => `2026-03-0${number}T00:00:00.000000Z`;
const COVERAGE: TrailCoverage = {
  since: day(2),
  droppedBefore: null,
  until: day(6),
  asOf: day(7),
  capture: 'streaming',
};

describe('the time up to which the trail is current', () => {
  test('is that of the last look before which everything is stored, however many looks followed', () => {
    const currency = new Currency();
    expect(currency.until(100n)).toBeNull();
    currency.looked({ lsn: 10n, seenAt: day(1) });
    expect(currency.until(9n)).toBeNull();
    currency.looked({ lsn: 20n, seenAt: day(2) });
    currency.looked({ lsn: 30n, seenAt: day(3) });
    expect(currency.until(10n)).toBe(day(1));
    expect(currency.until(29n)).toBe(day(1));
    expect(currency.until(30n)).toBe(day(3));
    currency.looked({ lsn: 30n, seenAt: day(4) });
    expect(currency.until(30n)).toBe(day(4));
  });

  test('is what capture in this process knows, and otherwise what the trail states', () => {
    const capture = { state: 'reconnecting', currentUntil: day(7) } as CaptureStatus;
    expect(withCapture(COVERAGE, null)).toBe(COVERAGE);
    expect(withCapture(COVERAGE, { ...capture, state: 'standby' })).toBe(COVERAGE);
    expect(withCapture(COVERAGE, capture)).toMatchObject({ capture: 'reconnecting', until: day(7) });
    expect(withCapture(COVERAGE, { ...capture, currentUntil: day(5) }).until).toBe(day(6));
  });
});

describe('the covered part of a range', () => {
  const part = (from: number, to: number, coverage: Partial<TrailCoverage> = {}) =>
    coveredPart({ from: day(from), to: day(to) }, { ...COVERAGE, ...coverage });

  test("is the whole range between the trail's beginning and the time up to which it is current", () => {
    expect(part(2, 6)).toEqual({ from: day(2), to: day(6), missing: [] });
  });

  test('is cut where the trail begins, where days were dropped, and where the trail is not current', () => {
    expect(part(1, 3)).toEqual({
      from: day(2),
      to: day(3),
      missing: [{ why: 'before', from: day(1), to: day(2) }],
    });
    expect(part(3, 5, { droppedBefore: day(4) }).missing).toEqual([
      { why: 'dropped', from: day(3), to: day(4) },
    ]);
    // The trail begins on day 2, so nothing of day 1 was dropped.
    expect(part(1, 5, { droppedBefore: day(4) }).missing).toEqual([
      { why: 'before', from: day(1), to: day(2) },
      { why: 'dropped', from: day(2), to: day(4) },
    ]);
    expect(part(1, 2, { droppedBefore: day(4) }).missing).toEqual([
      { why: 'before', from: day(1), to: day(2) },
    ]);
    // Times in the future are not missing.
    expect(part(5, 9).missing).toEqual([{ why: 'after', from: day(6), to: day(7) }]);
    expect(part(8, 9).missing).toEqual([]);
  });

  test('is empty outside the trail, and in a trail that has not begun', () => {
    expect(part(1, 2)).toEqual({
      from: null,
      to: null,
      missing: [{ why: 'before', from: day(1), to: day(2) }],
    });
    expect(part(6, 7)).toMatchObject({ from: null, missing: [{ why: 'after' }] });
    expect(part(1, 2, { since: null, until: null }).from).toBeNull();
  });

  test('has an unknown end if it is not known up to when the trail is current', () => {
    const missing = [{ why: 'unknown', from: day(3), to: day(5) }];
    expect(part(3, 5, { until: null })).toEqual({ from: day(3), to: null, missing });
    expect(part(1, 2, { until: null })).toMatchObject({ from: null, to: null, missing: [{ why: 'before' }] });
  });
});

describe("the page's note about a range", () => {
  const said = (
    from: number,
    to: number,
    { newest = null, ...coverage }: Partial<TrailCoverage> & { readonly newest?: string | null } = {},
  ) =>
    uncovered(
      { from: Date.parse(day(from)), to: Date.parse(day(to)) },
      { coverage: { ...COVERAGE, ...coverage }, newest },
      (instant) => instant.slice(0, 10),
    );

  test('is empty if the range is covered', () => {
    expect(said(2, 6)).toEqual({ lacks: 'nothing', sentences: [] });
  });

  test('states that recording began later, that days were dropped, and that recording is behind or stopped', () => {
    expect(said(1, 3).sentences).toEqual([
      'Recording began on 2026-03-02. Earlier changes are not in the trail.',
    ]);
    expect(said(1, 2).lacks).toBe('all');
    expect(said(2, 4, { droppedBefore: day(3) }).sentences).toHaveLength(1);
    expect(said(1, 4, { droppedBefore: day(3) }).sentences).toHaveLength(2);
    expect(said(1, 2, { droppedBefore: day(3) })).toMatchObject({ lacks: 'all', sentences: { length: 1 } });
    expect(said(5, 7).sentences).toEqual([expect.stringMatching(/up to 2026-03-06.*behind/)]);
    expect(said(6, 7, { capture: 'stopped' })).toMatchObject({ lacks: 'all' });
    expect(said(6, 7, { until: '2026-03-06T23:59:55.000000Z' }).sentences).toEqual([]);
    expect(said(8, 9)).toEqual({ lacks: 'all', sentences: ['It is in the future.'] });
    expect(said(6, 7, { since: null })).toEqual({ lacks: 'all', sentences: ['Recording has not begun.'] });
  });

  test('states if it is not known up to when the trail is current, and which entries exist', () => {
    const upgraded = { until: null, capture: 'unknown', newest: day(5) } as const;
    expect(said(3, 6, upgraded)).toEqual({
      lacks: 'unknown',
      sentences: [
        'It is not known yet up to what time the trail is current; it has entries up to 2026-03-05. No daemon has recently reported that it records.',
      ],
    });
    expect(said(1, 6, upgraded)).toMatchObject({ lacks: 'a part', sentences: { length: 2 } });
    expect(said(1, 2, upgraded)).toEqual({
      lacks: 'all',
      sentences: ['Recording began on 2026-03-02. Earlier changes are not in the trail.'],
    });
    expect(said(8, 9, upgraded)).toEqual({
      lacks: 'unknown',
      sentences: [expect.stringContaining('it has entries up to 2026-03-05')],
    });
    expect(said(3, 6, { until: null, capture: 'streaming' }).sentences).toEqual([
      'It is not known yet up to what time the trail is current.',
    ]);
  });

  test('states that the range is live only while capture streams and is not behind', () => {
    const at = { ...COVERAGE, until: day(7) };
    expect(recordingOf(at)).toBe('current');
    expect(recordingOf(COVERAGE)).toBe('behind');
    expect(recordingOf({ ...at, capture: 'reconnecting' })).toBe('interrupted');
    expect(recordingOf({ ...at, capture: 'stopped' })).toBe('stopped');
    expect(recordingOf({ ...at, capture: 'unknown' })).toBe('unknown');
    expect(recordingOf({ ...at, until: null })).toBe('unknown');
  });
});
