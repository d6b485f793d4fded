import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'yaml';
import { wordsOfCheck } from '../../src/init/check-words.js';
import { costsOf } from '../../src/init/costs.js';
import { fittingYaml } from '../../src/init/fitting-yaml.js';
import type { Proposal, TableProposal } from '../../src/init/proposal.js';
import { writeYaml } from '../../src/init/write-yaml.js';
import { comment, flow, list, scalar } from '../../src/init/yaml-text.js';
import { parseConfig } from '../../src/tracking/load.js';

describe('a text in the YAML of init', () => {
  test('is read back from YAML unchanged, wherever it stands', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        const read: unknown = parse(
          `a: ${scalar(text)}\nb: ${list([text])}\nc: ${flow([[text, scalar(text)]])}`,
        );
        const kept = text.replaceAll('${', '$${');
        expect(read).toEqual({ a: kept, b: [kept], c: { [kept]: kept } });
      }),
    );
    for (const text of ['true', 'null', '1', '', ' a', 'a: b', 'a #b', '*', '-', '[', 'access token'])
      expect(parse(scalar(text))).toBe(text);
  });

  test('does not end the comment that contains it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const line of comment(text, '  ')) expect(line).toMatch(/^ {2}# [^\p{Cc}\p{Zl}\p{Zp}]*$/u);
        expect(parse(`${comment(text, '').join('\n')}\na: 1`)).toEqual({ a: 1 });
      }),
    );
  });
});

describe('the values that a CHECK constraint allows', () => {
  test.each([
    [
      "CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'it''s, x'::character varying])::text[])))",
      ['open', "it's, x"],
    ],
    ["CHECK ((kind = ANY (ARRAY['a]'::text, 'b'::text])))", ['a]', 'b']],
    ['CHECK ((level = ANY (ARRAY[1, 2, 3])))', ['1', '2', '3']],
    ['CHECK ((level = ANY (ARRAY[1, 2, 3]) OR level > 7))', null],
    ['CHECK ((level > 0))', null],
    ["CHECK ((name ~ 'ARRAY[x]'::text))", null],
  ])('are read from %s', (definition, words) => {
    expect(wordsOfCheck(definition)).toEqual(words);
  });
});

const things = (count: number, prefix = ''): TableProposal[] =>
  Array.from({ length: count }, (_, index) => ({
    table: `public.${prefix}things_${index}`,
    facts: ['a fact '.repeat(20).trim()],
    entity: `thing ${index}`,
    name: [{ column: 'name' }],
    id: null,
    tenant: null,
    modifiers: [],
    operations: null,
    ignore: ['updated_at'],
    labels: [],
    typedLabels: [],
    actions: [],
    baseline: index === 0,
    values: {
      facts: [],
      numbers: [{ column: 'status', stored: ['0', '1'] }],
      masks: ['flags'],
    },
  }));

const proposalOf = (tables: TableProposal[]): Proposal => ({
  source: { name: 'shop', publication: 'waltrail' },
  people: [],
  witnesses: [],
  session: null,
  secrets: [{ table: 'public.things_0', columns: ['token'], with: 'mask', fact: null }],
  tenant: null,
  tables,
  leftOut: [],
});

describe('a YAML of many tables', () => {
  test.each([
    [10, 'everything'],
    [5_000, 'rules'],
    [12_000, 'names'],
  ] as const)('for %s tables contains %s', (count, detail) => {
    const made = fittingYaml(proposalOf(things(count)), {
      head: [],
      grants: [],
      costs: new Map(),
      large: new Set(),
    });
    expect(made.detail).toBe(detail);
    expect(made.text.length).toBeLessThanOrEqual(1_048_576);
    expect(made.text.match(/^ {2}public\.things_\d+:$/gm)).toHaveLength(count);
    expect(made.text).toContain('{ columns: [token], tables: [public.things_0], with: mask }');
    expect(made.text.match(/^ {4}# baseline: true$/gm) ?? []).toHaveLength(detail === 'everything' ? 1 : 0);
  });

  test.each(['rules', 'names'] as const)('loads if it contains only %s', (detail) => {
    const text = writeYaml(
      proposalOf(things(20)),
      { head: [], grants: [], costs: new Map(), large: new Set() },
      detail,
    );
    const environment = { WALTRAIL_SOURCE_URL: 'postgres://a/b', WALTRAIL_TRAIL_URL: 'postgres://a/c' };
    expect(parseConfig({ text, file: 'w.yaml', environment }).tables).toHaveLength(20);
  });

  test('is refused if it is too long with names alone', () => {
    const many = proposalOf(things(5_000, 'long_'.repeat(50)));
    expect(() => fittingYaml(many, { head: [], grants: [], costs: new Map(), large: new Set() })).toThrow(
      expect.objectContaining({ code: 'INIT_TOO_LARGE' }),
    );
  });
});

test("init reports updates and large values of a table from PostgreSQL's statistics", () => {
  const member = (of: { readonly updates: number; readonly large: number }) => ({
    oid: '1',
    analyzedRows: 2_000_000,
    liveRows: 2_000_000,
    changedSince: 0,
    updates: of.updates,
    deletes: 0,
    key: ['id'],
    readable: true,
    columns: [{ name: 'id', length: 8, align: 8, dropped: false, width: 8, nullFraction: 0 }],
    large: { bytes: of.large, written: 100_000, removed: 0 },
  });
  const costs = (updates: number, large: number) =>
    costsOf([{ table: 'public.t', columns: 1, oids: ['1'] }], {
      windowSeconds: 172_800,
      members: new Map([['1', member({ updates, large })]]),
    });
  const sentences = (updates: number, large: number) => costs(updates, large).byTable.get('public.t');
  expect(costs(400_000, 0).total).toEqual([
    expect.stringMatching(/^The old rows of 1 tables would have added .* over 2 days/),
  ]);
  expect(costs(0, 0).total).toEqual([]);
  expect(sentences(100, 0)).toEqual(['about 2,000,000 rows']);
  expect(sentences(400_000, 0)?.[1]).toMatch(
    /^the old row adds about \d+ B to the WAL for each .*: 200,000 of them a day, \d/,
  );
  expect(sentences(0, 200 * 1024 * 1024)).toContainEqual(
    expect.stringMatching(/^200 MB of its values are stored outside/),
  );
});
