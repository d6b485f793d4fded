import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { redactorOf, withinRedactor } from '../../src/pipeline/redaction.js';
import { parseConfig } from '../../src/tracking/load.js';
import { isSecretName } from '../../src/tracking/secrets.js';
import { valueKind } from '../../src/tracking/value-kind.js';

const JSON_TYPE = 114;
const JSONB = 3802;
const JSON_ARRAY = 199;
const TEXT_ARRAY = 1009;
const HSTORE = 20_000;
const TYPES = new Map([[HSTORE, { oid: HSTORE, base: HSTORE, name: 'hstore', category: 'U', array: false }]]);

function masker(typeOid: number, yaml = '', column = 'settings'): (text: string) => string {
  const config = parseConfig({
    file: 'w.yaml',
    environment: {},
    text: `source: { name: a, url: "postgres://x/y" }\ntrail: { url: "postgres://x/z" }\n${yaml}\ntables: { public.t: { entity: t } }`,
  });
  const key = Buffer.from('key');
  const redactor = redactorOf(null, {
    key,
    within:
      withinRedactor({
        config,
        name: { schema: 'public', table: 't', column },
        kind: valueKind(typeOid, TYPES),
        key,
      })?.redactor ?? null,
  });
  return (text) => {
    const bytes = Buffer.from(`<${text}>`);
    return (redactor?.(bytes, 1, bytes.length - 2) ?? bytes.subarray(1, -1)).toString();
  };
}

describe('members of JSON', () => {
  const mask = masker(JSON_TYPE);

  test.each([
    ['{"password": "a"}', '{"password": "***"}'],
    [
      '{ "a":1.10,"apiKey" :"x" , "apiKey":{"b":[1]},"b":10000000000000000000001e5}',
      '{ "a":1.10,"apiKey" :"***" , "apiKey":"***","b":10000000000000000000001e5}',
    ],
    ['{"pass\\u0077ord":"x","passw\\u006frd ":"y"}', '{"pass\\u0077ord":"***","passw\\u006frd ":"***"}'],
    ['[[{"a":[{"token":"x"}]}]]', '[[{"a":[{"token":"***"}]}]]'],
    ['{"tokens":512,"otp":null,"secret":true}', '{"tokens":512,"otp":null,"secret":true}'],
    [
      '{"dsn":"postgres://a:b@c","u":"https:\\/\\/a:b@c"}',
      '{"dsn":"postgres://a:***@c","u":"https://a:***@c"}',
    ],
    ['"Bearer abc123"', '"Bearer ***"'],
    ['{"t":"\\u0042earer abc123"}', '{"t":"Bearer ***"}'],
    ['{"a":"\\"password\\":\\"x\\"","b":"\\\\"}', '{"a":"\\"password\\":\\"***\\"","b":"\\\\"}'],
    ['{"{\\"password\\"":"x"}', '{"{\\"password\\"":"***"}'],
  ])('are masked in %s', (json, expected) => {
    expect(mask(json)).toBe(expected);
  });

  test('are masked by the redact rules, by name or path, before the defaults', () => {
    const by = masker(
      JSONB,
      `redact:
  - { columns: [settings.keep.token], tables: [public.t], with: { truncate: 2 } }
  - { columns: ["x*"], with: drop }
  - { columns: [settings.smtp.host], with: hash }
secrets: { allow: [public.t.settings.public.token, page_token] }`,
    );
    expect(by('{"keep":{"token":"abcd"},"public":[{"token":"p"}],"page_token":"q","token":"r"}')).toBe(
      '{"keep":{"token":"ab…"},"public":[{"token":"p"}],"page_token":"q","token":"***"}',
    );
    expect(by('{"x":1,"a":2,"xy":[3],"b":{"x":1},"x":4}')).toBe('{"a":2,"b":{}}');
    expect(by('{"a":{ "x":1 , "x":2 , "c":3 }, "x": 1}')).toBe('{"a":{ "c":3 }}');
    expect(by('{"smtp":{"host":"h"},"host":"h"}')).toMatch(
      /^\{"smtp":\{"host":"[0-9a-f]{32}"\},"host":"h"\}$/,
    );
  });

  test('are not masked if defaults are off and no rule names them', () => {
    expect(masker(JSONB, 'secrets: { defaults: false }')('{"password":"a","u":"a://b:c@d"}')).toBe(
      '{"password":"a","u":"a://b:c@d"}',
    );
    expect(
      masker(
        JSONB,
        'secrets: { defaults: false }\nredact: [ { columns: ["pass*"], with: mask } ]',
      )('{"password":1}'),
    ).toBe('{"password":"***"}');
  });

  test('lose only the masked values and keep no secret, for any JSON', () => {
    const ofJsonb = masker(JSONB);
    const json = fc.json({ maxDepth: 6, stringUnit: 'binary' });
    fc.assert(
      fc.property(json, json, fc.boolean(), (before, after, pretty) => {
        const space = pretty ? 1 : 0;
        const text = JSON.stringify(
          [JSON.parse(before) as unknown, { password: 'canary', a: JSON.parse(after) as unknown }],
          null,
          space,
        );
        const expected = JSON.stringify(
          [JSON.parse(before) as unknown, { password: '***', a: JSON.parse(after) as unknown }],
          null,
          space,
        );
        const masked = mask(text);
        expect(masked).not.toContain('canary');
        // jsonb as PostgreSQL prints it has no such escapes.
        if (!/\\[u/]/.test(text)) expect(ofJsonb(text)).toBe(masked);
        // Except texts that happen to look like secrets.
        if (!/\/\/|=|bearer|basic/i.test(text)) expect(masked).toBe(expected);
      }),
    );
  });

  test('are recognised by their names in any order, number and length', () => {
    const names = [
      '',
      'a',
      'p',
      'id',
      'pw',
      'tier',
      'é',
      'salt',
      'password',
      'password at',
      'tier\\"',
      '\\"token',
    ];
    const long = [
      'twelve bytes',
      'thirteen byte',
      'a name of many words',
      'a token',
      'a name of many tokens',
    ];
    const values = ['canary', '10:20', ':', ': canary', 'a\\"', 'AB', '?'];
    const ofJsonb = masker(JSONB);
    const members = fc.array(fc.tuple(fc.constantFrom(...names, ...long), fc.constantFrom(...values)));
    // The masker is the same throughout and has seen other objects before.
    fc.assert(
      fc.property(members, fc.constantFrom(': ', ':'), (found, colon) => {
        const print = (value: (name: string, value: string) => string): string =>
          `{${found.map(([name, text]) => `"${name}"${colon}"${value(name, text)}"`).join(', ')}}`;
        const isSecret = (name: string): boolean => isSecretName(JSON.parse(`"${name}"`) as string);
        expect(ofJsonb(print((_, text) => text))).toBe(
          print((name, text) => (isSecret(name) ? '***' : text)),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('are masked by exactly the rules whose pattern matches their path, whatever other columns have', () => {
    const names = ['a', 'b', 'B', 'token', 'a_b'];
    const patterns = [
      'settings.a',
      'Settings.*.B',
      '*.a',
      'set*.b',
      '*b',
      'settings.a.*',
      'settings.*_b',
      'settings*a*b',
      'other.a',
      'settings_b.a',
      'b',
    ];
    type Json = string | readonly Json[] | { readonly [name: string]: Json };
    const tree: fc.Arbitrary<Json> = fc.letrec<{ node: Json }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.constant('v'),
        fc.array(tie('node'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom(...names), tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    const matches = (pattern: string, path: string): boolean =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((part) => part.replaceAll('.', '\\.'))
          .join('.*')}$`,
        'i',
      ).test(path);
    const expected = (json: Json, path: string, rules: readonly string[]): Json => {
      if (typeof json === 'string') return json;
      if (Array.isArray(json)) return (json as Json[]).map((item) => expected(item, path, rules));
      return Object.fromEntries(
        Object.entries(json as Record<string, Json>).map(([name, value]) => {
          const own = `${path}.${name}`;
          const isRedacted = rules.some((rule) => matches(rule, rule.includes('.') ? own : name));
          return [name, isRedacted || isSecretName(name) ? '***' : expected(value, own, rules)];
        }),
      );
    };
    fc.assert(
      fc.property(fc.subarray(patterns), fc.array(tree, { maxLength: 5 }), (rules, trees) => {
        const list = rules.map((rule) => `"${rule}"`).join(', ');
        const yaml = rules.length === 0 ? '' : `redact: [ { columns: [${list}], with: mask } ]`;
        const masked = masker(JSONB, yaml);
        for (const json of trees)
          expect(JSON.parse(masked(JSON.stringify(json)))).toEqual(expected(json, 'settings', rules));
      }),
      { numRuns: 300 },
    );
  });

  test('are masked by their path also where a capital letter has two lower-case ones', () => {
    const rule = (path: string): string => `redact: [ { columns: ["${path}"], with: mask } ]`;
    expect(masker(JSONB, rule('settings.Σ'))('{"Σ":"v","a":"v"}')).toBe('{"Σ":"***","a":"v"}');
    expect(masker(JSONB, rule('ΑΣ.x'), 'ΑΣ')('{"x":"v","a":"v"}')).toBe('{"x":"***","a":"v"}');
  });

  test('are masked as a whole beyond the readable depth, and any depth takes linear time', () => {
    const deep = (levels: number): string =>
      `${'{"a":'.repeat(levels)}{"password":"canary"}${'}'.repeat(levels)}`;
    expect(mask(deep(5_000))).toContain('"password":"***"');
    expect(mask(deep(50_000))).toBe('"***"');
    const byPath = masker(JSONB, 'redact: [ { columns: [settings.b], with: mask } ]');
    const began = performance.now();
    expect(byPath(deep(9_000))).not.toContain('canary');
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('text that is not JSON is masked as a whole if it may contain a secret, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        mask(text);
        expect(mask(`{"password":"canary"${text}`)).not.toContain('canary');
      }),
    );
  });
});

test('elements of arrays are masked together with their escapes', () => {
  expect(masker(JSON_ARRAY)('{"{\\"token\\": \\"x\\"}",NULL,"[1]","{\\"a\\":\\"\\\\\\\\\\"}"}')).toBe(
    '{"{\\"token\\": \\"***\\"}",NULL,"[1]","{\\"a\\":\\"\\\\\\\\\\"}"}',
  );
  expect(masker(TEXT_ARRAY)('{a,"x y",postgres://a:b@c,"see \\"https://a:b@c\\""}')).toBe(
    '{a,"x y","postgres://a:***@c","see \\"https://a:***@c\\""}',
  );
});

test('pairs of hstore are masked by their keys, and other pairs do not change', () => {
  const mask = masker(HSTORE);
  expect(mask('"a"=>"1", "api_key"=>"x\\"y", "token"=>NULL, "u"=>"ab://c:d@e", "p\\\\q"=>""')).toBe(
    '"a"=>"1", "api_key"=>"***", "token"=>NULL, "u"=>"ab://c:***@e", "p\\\\q"=>""',
  );
  expect(mask('"a"=>"é"')).toBe('"a"=>"é"');
  expect(mask('')).toBe('');
  expect(
    masker(HSTORE, 'redact: [ { columns: [settings.b], with: drop } ]')('"a"=>"é", "b"=>"2", "c"=>"3"'),
  ).toBe('"a"=>"é", "c"=>"3"');
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void mask(`"token"=>"${text}`)));
});
