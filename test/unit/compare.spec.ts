import { expect, test } from '@jest/globals';
import type { Catalog, CatalogTable } from '../../src/tracking/catalog.js';
import { compareConfigurations } from '../../src/tracking/compare.js';
import { parseConfig } from '../../src/tracking/load.js';

const table = (name: string, columns: readonly string[]): CatalogTable => ({
  oid: '1',
  schema: 'public',
  name,
  kind: 'table',
  persistence: 'permanent',
  replicaIdentity: 'full',
  partitionOf: null,
  inherits: [],
  columns: columns.map((column) => ({
    name: column,
    typeOid: 25,
    type: 'text',
    generated: null,
    readable: true,
  })),
  attributes: [],
  primaryKey: ['id'],
  keyXid: null,
  keys: [],
  readable: true,
  filtered: false,
  mayTrigger: true,
});
const catalog = {
  tables: [table('agents', ['id', 'phone', 'password', 'note']), table('teams', ['id', 'name'])],
  types: new Map(),
  publications: [],
} as unknown as Catalog;

const configOf = (yaml: string) =>
  parseConfig({
    text: `source: { name: crm, url: postgres://h/a }\ntrail: { url: postgres://h/b }\n${yaml}`,
    file: 'w.yaml',
    environment: {},
  });
const compare = (old: string, now: string) =>
  compareConfigurations({ old: configOf(old), config: configOf(now), catalog }).map(
    ({ aspect, tables, says, exposes }) => `${exposes ? '! ' : ''}${tables.join()} ${aspect}: ${says}`,
  );

const AGENTS = 'tables: { public.agents: { entity: agent } }';

test.each([
  ['the same in other words', 'tables: { "public.ag*": { entity: agent } }', []],
  [
    'a redaction rule that was removed',
    AGENTS,
    [
      '!  redaction: phone: LESS REDACTED THAN BEFORE, including members of JSON and of contexts',
      '! public.agents redaction: phone stored AS IT IS instead of masked',
    ],
    `redact: [{ columns: [phone], with: mask }]\n${AGENTS}`,
  ],
  [
    'a weaker rule',
    `redact: [{ columns: [phone], with: { truncate: 4 } }]\n${AGENTS}`,
    [
      '!  redaction: phone: LESS REDACTED THAN BEFORE, including members of JSON and of contexts',
      '! public.agents redaction: phone stored shortened to 4 instead of as hashes',
    ],
    `redact: [{ columns: [phone], with: hash }]\n${AGENTS}`,
  ],
  [
    'a wider rule',
    `redact: [{ columns: ["ph*"], with: mask }]\n${AGENTS}`,
    [' redaction: ph*: more redacted than before, including members of JSON and of contexts'],
    `redact: [{ columns: [phone], with: mask }]\n${AGENTS}`,
  ],
  [
    'a secret that is explicitly allowed',
    `secrets: { allow: [public.agents.password] }\n${AGENTS}`,
    [
      '!  redaction: secrets.allow: public.agents.password is NO LONGER A SECRET',
      '! public.agents redaction: password stored AS IT IS instead of masked',
    ],
  ],
  [
    'no defaults',
    `secrets: { defaults: false }\n${AGENTS}`,
    [
      '!  redaction: secrets.defaults: values that are secrets by their name are NO LONGER MASKED',
      '! public.agents redaction: password stored AS IT IS instead of masked',
    ],
  ],
  [
    'a column that is no longer left out',
    AGENTS,
    ['! public.agents redaction: note stored AS IT IS instead of left out'],
    'tables: { public.agents: { entity: agent, except: [note] } }',
  ],
  [
    'tables that are added and removed',
    'tables: { public.teams: }',
    ['public.agents tracking: no longer tracked', 'public.teams tracking: tracked from now on'],
  ],
  [
    'what a rule says',
    'tables: { public.agents: { entity: person, tenant: note, modifier: phone, ignore: [note], values: { note: { a: A } }, actions: [{ on: update, changed: note, action: seen }] } }',
    [
      'public.agents entity: person instead of agent',
      'public.agents modifier: added: phone',
      'public.agents tenant: note instead of none',
      'public.agents ignore: added: note',
      'public.agents values: added: note',
      'public.agents actions: added: seen',
    ],
  ],
  [
    'what all tables share',
    `defaults: { ignore: [note] }\naction_names: { edit: Changed }\ntables: { public.agents: { entity: agent }, public.teams: }`,
    [' action_names: added: edit', 'public.agents,public.teams ignore: added: note'],
    'tables: { public.agents: { entity: agent }, public.teams: }',
  ],
])('lists differences between two configurations: %s', (_, now, expected, old = AGENTS) => {
  expect(compare(old, now)).toEqual(expected);
});
