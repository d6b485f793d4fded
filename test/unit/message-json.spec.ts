import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { expectSame } from '../support/same.ts';
import {
  MAX_MESSAGE_BYTES,
  readMessageObject,
  type MemberValue,
  type MessageObject,
} from '../../src/pipeline/message-json.js';

const MEMBERS = ['modifier', 'name', 'kind'];
const KIB = 1024;

const read = (json: string | Buffer, redacted: (name: string) => boolean = () => false) =>
  readMessageObject(Buffer.from(json), {
    members: new Set(MEMBERS),
    context: 'context',
    redacted: (name) => (redacted(name) ? 'by rule' : null),
    texts: false,
  });

/** What was read; fails if nothing was. */
function object(json: string | Buffer, redacted?: (name: string) => boolean): MessageObject {
  const result = read(json, redacted);
  if (typeof result === 'string') throw new Error(`not read: ${result}`);
  return result;
}

const contextOf = (json: string, redacted?: (name: string) => boolean) =>
  object(`{"context":${json}}`, redacted).context;
const text = (value: string): MemberValue => ({ is: 'text', text: value });

describe('the object of a message', () => {
  test('is read as JSON.parse reads it, for any content and spelling', () => {
    // Numbers are compared by value here: another test compares their digits.
    const key = fc.oneof(
      fc.constantFrom('modifier', 'name', 'kind', 'context', '__proto__', 'constructor', ''),
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({
        unit: fc.constantFrom('\0', '\ud83d', '\ude00', 'a', '\\', '"', '\u0001', 'é'),
        maxLength: 6,
      }),
    );
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.oneof(fc.constant(null), fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }), key),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    const written = fc.tuple(
      fc.dictionary(key, value, { maxKeys: 6 }),
      fc.constantFrom(undefined, 1, '\t'),
      fc.boolean(),
    );
    let withContext = 0;
    fc.assert(
      fc.property(written, ([body, indent, inAscii]) => {
        const json = JSON.stringify(body, null, indent);
        const sent = inAscii ? ascii(json) : json;
        const parsed = stored(JSON.parse(sent)) as Record<string, unknown>;
        const { members, context } = object(sent);
        for (const name of MEMBERS) expectSame(members.get(name), memberOf(own(parsed, name)));
        const expected = own(parsed, 'context');
        expectSame(context === undefined ? undefined : JSON.parse(context ?? 'null'), expected);
        if (context != null) {
          withContext++;
          expect(context).not.toMatch(/\\u0000|\\ud[89a-f]/i);
          expect(Buffer.from(context).toString()).toBe(context);
        }
      }),
      { numRuns: 3000 },
    );
    expect(withContext).toBeGreaterThan(100);
  });

  test('is refused exactly if JSON.parse refuses the text', () => {
    const pieces = fc.constantFrom(
      '{', '}', '[', ']', ',', ':', '"', '"a"', '"\\', '\\u00', '1', '-', '0', '.', 'e', '+', 'true', 'nul', 'null', ' ', '\n', '\t', 'x',
      '{"modifier":', '"context":', '\u0001', 'é',
    ); // prettier-ignore
    const token = fc.oneof(
      fc.array(pieces, { maxLength: 9 }).map((of) => of.join('')),
      fc.array(pieces, { maxLength: 5 }).map((of) => `{"a":${of.join('')}}`),
      fc.string({ unit: fc.constantFrom(...'0123456789.eE+-'), maxLength: 8 }).map((of) => `{"a":${of}}`),
    );
    const seen = { read: 0, refused: 0 };
    fc.assert(
      fc.property(token, (json) => {
        const result = typeof read(json) !== 'string';
        expect({ json, result }).toEqual({ json, result: isObject(json) });
        seen[result ? 'read' : 'refused']++;
      }),
      { numRuns: 20_000 },
    );
    expect(seen.read).toBeGreaterThan(200);
    expect(seen.refused).toBeGreaterThan(2000);
  });

  test('has the same members whatever their spelling: escapes, duplicates, a byte order mark', () => {
    expect(object('\ufeff {"modi\\u0066ier":7}').members.get('modifier')).toEqual(text('7'));
    expect(object('{"modifier":1,"modifier":"2"}').members.get('modifier')).toEqual(text('2'));
    expect(object('{"modifier":1,"modifier":null}').members.get('modifier')).toEqual({ is: 'null' });
    expect(object('{"context":{"a":1},"context":[2]}').context).toBe('[2]');
    expect(object('{"__proto__":{"modifier":1}}').members.size).toBe(0);
    expect(object('{"x":{"modifier":1,"context":2}}')).toEqual({ members: new Map(), context: undefined });
  });

  test('keeps all digits of numbers, and accepts only strings and numbers as keys', () => {
    const digits = '-12345678901234567890.1234567890e+1000';
    expect(object(`{"modifier":${digits},"name":true,"kind":[1]}`).members).toEqual(
      new Map([
        ['modifier', text(digits)],
        ['name', { is: 'other' }],
        ['kind', { is: 'other' }],
      ]),
    );
    expect(contextOf('{"a":12345678901234567890,"b":0.10,"c":[-0.0,1E400]}')).toBe(
      '{"a":12345678901234567890,"b":0.10,"c":[-0.0,1E400]}',
    );
  });

  test('contains no NUL, no half of a surrogate pair and no byte that is not UTF-8, wherever they were', () => {
    const { members, context } = object(
      '{"modifier":"a\\u0000\\ud83d","name":"\\ude00\\ud83d\\ude00","context":{"k\\u0000":["\\ud83d","x \\ud83dy"]}}',
    );
    expect(members.get('modifier')).toEqual(text('a\ufffd\ufffd'));
    expect(members.get('name')).toEqual(text('\ufffd😀'));
    expect(context).toBe('{"k\ufffd":["\ufffd","x \ufffdy"]}');
    const bytes = Buffer.concat([Buffer.from('{"modifier":"a'), Buffer.from([0xc3]), Buffer.from('","context":"'), Buffer.from([0xed, 0xa0, 0x80, 0xff]), Buffer.from('"}')]); // prettier-ignore
    expect(object(bytes).members.get('modifier')).toEqual(text('a\ufffd'));
    expect(object(bytes).context).toBe('"\ufffd\ufffd\ufffd\ufffd"');
  });
});

describe('a context', () => {
  test('is masked by the names of its members at every depth and in any spelling; null is kept', () => {
    const redacted = (name: string) => name === 'secret';
    expect(
      contextOf('{"secret":{"a":[1]},"b":[{"s\\u0065cret":"x","c":1,"secret":null}],"d":"secret"}', redacted),
    ).toBe('{"secret":"***","b":[{"secret":"***","c":1,"secret":null}],"d":"secret"}');
    expect(contextOf('["secret",{"secret":[]}]', redacted)).toBe('["secret",{"secret":"***"}]');
  });

  test('of 64 KiB is kept whole, and of one byte more is not', () => {
    const of = (bytes: number) => `{"a":1,"b":"${'x'.repeat(bytes - '{"a":1,"b":""}'.length)}"}`;
    expect(contextOf(of(64 * KIB))).toBe(of(64 * KIB));
    expect(contextOf(of(64 * KIB + 1))).toBe(`{"a":1,"waltrail_cut":{"bytes":${64 * KIB + 1},"leftOut":1}}`);
  });

  test('that is larger keeps the members that fit, in order, and states its kind: object, list or text', () => {
    const large = `"${'x'.repeat(70 * KIB)}"`;
    const mark = (bytes: number, leftOut: number) => `"waltrail_cut":{"bytes":${bytes},"leftOut":${leftOut}}`;
    expect(contextOf(`{"a":{"b":${large},"c":1},"d":[${large},2]}`)).toBe(
      `{"a":{"c":1},"d":[2],${mark(2 * large.length + 27, 2)}}`,
    );
    expect(contextOf(`[1,${large}]`)).toBe(`[1,{${mark(large.length + 4, 1)}}]`);
    expect(contextOf(`[${large}]`)).toBe(`[{${mark(large.length + 2, 1)}}]`);
    expect(contextOf(`{"a":${large}}`)).toBe(`{${mark(large.length + 6, 1)}}`);
    expect(contextOf(large)).toBe(`{${mark(large.length, 1)}}`);
    // A name that is too long for the rules of redaction is not stored.
    expect(contextOf(`{"${'n'.repeat(1200)}":"secret","a":1}`)).toBe(`{"a":1,${mark(1200 + 19, 1)}}`);
  });

  test('of any shape and size is cut to valid JSON of at most 64 KiB and the mark, in order', () => {
    const leaf = fc.oneof(
      fc.integer(),
      fc.integer({ min: 0, max: 40_000 }).map((length) => 'é'.repeat(length)),
      fc.integer({ min: 0, max: 20_000 }).map((length) => '"\n'.repeat(length)),
    );
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 8 }),
        fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 8 }),
        fc.integer({ min: 0, max: 30_000 }).map((length) => new Array<number>(length).fill(1)),
      ),
    })).value;
    let cut = 0;
    fc.assert(
      fc.property(value, (context) => {
        const json = JSON.stringify(context);
        const kept = contextOf(json) ?? 'null';
        expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(64 * KIB + 100);
        const parsed = JSON.parse(kept) as unknown;
        if (Buffer.byteLength(json) <= 64 * KIB) expect(parsed).toEqual(JSON.parse(json));
        else {
          cut++;
          expect(kept).toMatch(/"waltrail_cut":\{"bytes":\d+,"leftOut":\d+\}\}?[}\]]$/);
        }
      }),
      { numRuns: 300 },
    );
    expect(cut).toBeGreaterThan(20);
  });
});

describe('a message of hostile size or shape', () => {
  const fill = (piece: string, around: (middle: string) => string): string =>
    around(piece.repeat(Math.floor((4 * KIB * KIB - 200) / Buffer.byteLength(piece))));

  test('is not read if it is too large or too deep', () => {
    expect(read(Buffer.alloc(MAX_MESSAGE_BYTES + 1, 0x20))).toBe('too large');
    expect(read(Buffer.alloc(MAX_MESSAGE_BYTES, 0x20))).toBe('not a JSON object');
    const nested = (depth: number) => `{"context":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(read(nested(64))).toBe('nested too deeply');
    expect(contextOf(`${'['.repeat(63)}${']'.repeat(63)}`)).toBe(`${'['.repeat(63)}${']'.repeat(63)}`);
    expect(read(nested(2_000_000))).toBe('nested too deeply');
    expect(read(`{"a":${'{"a":'.repeat(800_000)}`)).toBe('nested too deeply');
  });

  test.each<[string, string]>([
    ['one string', fill('x', (of) => `{"modifier":7,"context":"${of}"}`)],
    ['escapes', fill('\\u0000', (of) => `{"modifier":7,"context":"${of}"}`)],
    ['many members', fill('"":0,', (of) => `{"modifier":7,"context":{${of}"":1}}`)],
    ['many members of the message itself', fill('"name":0,', (of) => `{${of}"modifier":7,"context":1}`)],
    ['many elements', fill('0,', (of) => `{"modifier":7,"context":[${of}1]}`)],
    ['many objects', fill('{},', (of) => `{"modifier":7,"context":[${of}{}]}`)],
    ['long names', fill(`"${'n'.repeat(900)}":1,`, (of) => `{"modifier":7,"context":{${of}"":1}}`)],
    ['one long name', fill('n', (of) => `{"modifier":7,"context":{"${of}":1}}`)],
    ['a number', fill('1', (of) => `{"modifier":7,"context":${of}}`)],
    ['blanks', fill(' ', (of) => `{"modifier":7,${of}"context":1}`)],
    ['duplicates', fill('"context":{"a":"b"},', (of) => `{"modifier":7,${of}"context":1}`)],
  ])('is read in linear time: 4 MiB of %s', (_what, json) => {
    const started = process.cpuUsage();
    const { members, context } = object(json, (name) => /secret/.test(name));
    const { user, system } = process.cpuUsage(started);
    expect(members.get('modifier')).toEqual(text('7'));
    expect(Buffer.byteLength(context!)).toBeLessThanOrEqual(64 * KIB + 100);
    // Takes some tens of milliseconds. With quadratic time it would take hours.
    expect((user + system) / 1000).toBeLessThan(3_000);
  });
});

/** JSON with every character above ASCII escaped, as Python writes it. */
const ascii = (json: string): string =>
  json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A parsed value in the form in which it may be stored. */
function stored(value: unknown): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map(stored);
  if (typeof value !== 'object' || value === null) return value;
  // JSON.parse treats `__proto__` like any other member.
  const pairs = Object.entries(value).map(([name, of]) => [clean(name), stored(of)] as const);
  return JSON.parse(`{${pairs.map(([name, of]) => `${JSON.stringify(name)}:${JSON.stringify(of)}`).join()}}`);
}

function clean(value: string): string {
  return Array.from(value, (character) =>
    character === '\0' || (character.length === 1 && /[\ud800-\udfff]/.test(character))
      ? '\ufffd'
      : character,
  ).join('');
}

const own = (of: Record<string, unknown>, name: string): unknown =>
  Object.hasOwn(of, name) ? of[name] : undefined;

function memberOf(value: unknown): MemberValue | undefined {
  if (value === undefined) return undefined;
  if (value === null) return { is: 'null' };
  if (typeof value === 'string') return text(value);
  // Written as JSON.stringify writes it.
  return typeof value === 'number' ? text(String(value)) : { is: 'other' };
}

function isObject(json: string): boolean {
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}
