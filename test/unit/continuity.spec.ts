import { expect, test } from '@jest/globals';
import {
  compareWithTrail,
  coveredUntil,
  startPosition,
  type SourceState,
} from '../../src/capture/continuity.js';
import { parseLsn } from '../../src/pg/lsn.js';
import { parseConfig } from '../../src/tracking/load.js';
import type { PublishedState } from '../../src/tracking/published.js';
import type { Checkpoint } from '../../src/trail/write/checkpoint.js';

const CONFIG = parseConfig({
  file: 'test.yaml',
  environment: {},
  text: `source: { name: test, url: "postgres://source", slot: slot, publication: waltrail }
trail: { url: "postgres://trail" }
tables: { public.items: { entity: item } }`,
});

const CHECKPOINT: Checkpoint = {
  source: 'test',
  systemIdentifier: '1',
  timeline: 1,
  slot: 'slot',
  endLsn: parseLsn('0/5000'),
  lastEndLsn: null,
  lastTransaction: null,
  nextId: 0n,
  entries: 0n,
  lastCommittedAt: null,
};

const published = (tables: Record<string, string>): PublishedState => ({
  publication: '1',
  options: 'all',
  tables: Object.fromEntries(
    Object.entries(tables).map(([oid, table]) => [
      oid,
      { schema: 'public', table, membership: `member ${oid}`, identity: 'f' },
    ]),
  ),
});

function sourceState(options: {
  readonly lsn?: string;
  readonly tables?: Record<string, string>;
  readonly gone?: string[];
  readonly replaced?: string[];
  readonly covered?: string[];
  readonly unwritten?: string[];
}): SourceState {
  return {
    version: 180_000,
    identity: { systemIdentifier: '1', timeline: 1, leftTimelineAt: null },
    slot: {
      plugin: 'pgoutput',
      database: 'source',
      ofThisDatabase: true,
      active: false,
      confirmedFlushLsn: parseLsn('0/3000'),
      invalidated: null,
    },
    published: { state: published(options.tables ?? { 7: 'items' }), lsn: parseLsn('0/6000') },
    lsn: parseLsn(options.lsn ?? '0/7000'),
    lacksLast: false,
    fate: {
      gone: new Set(options.gone),
      replaced: new Map(options.replaced?.map((oid) => [oid, '9'])),
      covered: new Set(options.covered),
      unwritten: new Set(options.unwritten),
    },
  };
}

const compare = (of: SourceState, checkpoint = CHECKPOINT) =>
  compareWithTrail({
    config: CONFIG,
    checkpoint,
    sourceState: of,
    lastPublished: { state: published({ 7: 'items' }), lsn: parseLsn('0/4000') },
    knownLsn: null,
  });

test('a source that is behind the trail on the same timeline was restored: it is a gap, and capture resumes at its slot', () => {
  const put = sourceState({ lsn: '0/4500' });
  const { gaps } = compare(put);
  expect(gaps).toEqual([
    {
      code: 'SOURCE_TIMELINE_FORKED',
      tables: null,
      fromLsn: parseLsn('0/3000'),
      toLsn: CHECKPOINT.endLsn,
    },
  ]);
  expect(startPosition({ checkpoint: CHECKPOINT, sourceState: put, gaps })).toBe(parseLsn('0/3000'));
});

// The slot is at 0/3000, the source's WAL ends at 0/7000, and the checkpoint is at 0/5000.
test.each<[string, Partial<SourceState>, { last: string | null; gap: string | null; start: string }]>([
  ['lacks what was stored last', { lacksLast: true }, { last: '0/4800', gap: '0/3000', start: '0/3000' }],
  ['has it, and the slot lags', {}, { last: '0/4800', gap: null, start: '0/4800' }],
  ['has a slot beyond it', {}, { last: '0/2800', gap: null, start: '0/3000' }],
  [
    'has a slot beyond it, and is behind',
    { lsn: parseLsn('0/4500') },
    { last: '0/2800', gap: null, start: '0/3000' },
  ],
  ['cannot be compared', {}, { last: null, gap: null, start: '0/5000' }],
])('a source that %s: gap and position', (_, state, { last, gap, start }) => {
  const lastEndLsn = last === null ? null : parseLsn(last);
  const checkpoint = { ...CHECKPOINT, lastEndLsn };
  const put = { ...sourceState({}), ...state };
  const { gaps } = compare(put, checkpoint);
  expect(gaps.map(({ code, fromLsn }) => [code, fromLsn])).toEqual(
    gap === null ? [] : [['SOURCE_TIMELINE_FORKED', parseLsn(gap)]],
  );
  expect(startPosition({ checkpoint, sourceState: put, gaps })).toBe(parseLsn(start));
});

test('a new timeline that began after the last stored change is no gap, and one that began before it is', () => {
  const at = (lsn: string): SourceState => {
    const found = sourceState({});
    return { ...found, identity: { ...found.identity, timeline: 2, leftTimelineAt: parseLsn(lsn) } };
  };
  const checkpoint = { ...CHECKPOINT, lastEndLsn: parseLsn('0/4000') };
  expect(compare(at('0/4000'), checkpoint).gaps).toEqual([]);
  expect(startPosition({ checkpoint, sourceState: at('0/4000'), gaps: [] })).toBe(parseLsn('0/4000'));
  expect(compare(at('0/3FFF'), checkpoint).gaps).toMatchObject([{ code: 'SOURCE_TIMELINE_FORKED' }]);
});

test.each<[string, Partial<SourceState['identity']>, string, string]>([
  ['as it was', {}, '0/7000', '0/4000'],
  [
    'on another timeline since after the last look',
    { timeline: 2, leftTimelineAt: parseLsn('0/4800') },
    '0/7000',
    '0/4000',
  ],
  [
    'on another timeline since before the last look',
    { timeline: 2, leftTimelineAt: parseLsn('0/3800') },
    '0/7000',
    '0/3800',
  ],
  ['restored to an older state', {}, '0/3200', '0/3000'],
  ['another cluster', { systemIdentifier: '2' }, '0/7000', '0/3000'],
])(
  'the last look covers changes up to the end of the history that both share, if the source is %s',
  (_, identity, lsn, until) => {
    const found = sourceState({ lsn });
    const covered = coveredUntil({
      checkpoint: CHECKPOINT,
      sourceState: { ...found, identity: { ...found.identity, ...identity } },
      lastPublished: { state: published({ 7: 'items' }), lsn: parseLsn('0/4000') },
    });
    expect(covered).toBe(parseLsn(until));
  },
);

test('a source that has written more, or nothing more, is not a gap', () => {
  for (const lsn of ['0/5000', '0/7000']) {
    const { gaps, notes } = compare(sourceState({ lsn }));
    expect([...gaps, ...notes]).toEqual([]);
  }
});

test.each([
  ['was dropped and another table got its name', { tables: {}, gone: ['7'], replaced: ['7'] }],
  [
    'was dropped and recreated, and is published again',
    { tables: { 9: 'items' }, gone: ['7'], replaced: ['7'] },
  ],
  ['was renamed and another table got its name', { tables: { 7: 'items_old' }, replaced: ['7'] }],
  [
    'was renamed and another table got its name, and is published',
    { tables: { 7: 'items_old', 9: 'items' }, replaced: ['7'] },
  ],
  ['exists only under another name, unpublished', { tables: {} }],
])(
  'the stream has no gap but the table has one, because its changes were not sent: a tracked table %s',
  (_, found) => {
    expect(compare(sourceState(found))).toMatchObject({ gaps: [], unpublished: ['public.items'] });
  },
);

test.each([
  ['was dropped', { tables: {}, gone: ['7'] }, ['tracked', 'dropped']],
  ['was renamed', { tables: { 7: 'things' } }, ['public.items', 'public.things']],
  [
    'became a partition of a published table',
    { tables: {}, covered: ['7'] },
    ['published', 'published as a partition'],
  ],
])('there is a note and no gap: a tracked table %s', (_, found, [before, after]) => {
  const { gaps, unpublished, notes } = compare(sourceState(found));
  expect([...gaps, ...unpublished]).toEqual([]);
  expect(notes).toMatchObject([{ before, after }]);
});
