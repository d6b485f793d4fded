import type { Random } from './random.ts';

/** What PostgreSQL executes, in this order, between `begin` and `commit`. */
export type Step =
  | { readonly is: 'row'; readonly name: string; readonly column: string | null; readonly deleted: boolean }
  | { readonly is: 'message'; readonly message: Message }
  | { readonly is: 'savepoint' | 'release' | 'rollback'; readonly name: string }
  /** A plpgsql block with an exception handler. If `fails`, all of it is rolled back. */
  | { readonly is: 'block'; readonly steps: readonly Step[]; readonly fails: boolean };

export interface Message {
  readonly prefix: string;
  readonly transactional: boolean;
  readonly content: string;
  /** What the message states, in terms of this file; null if it attributes no changes. */
  readonly says: Said | null;
}

type Said =
  | { readonly of: 'everything'; readonly key: string | null; readonly context: unknown }
  | { readonly of: 'context'; readonly context: unknown }
  | { readonly of: 'nothing'; readonly reason: string };

/** One entry for each row that was not rolled back; two if the row is deleted again. */
export interface Expected {
  readonly name: string;
  readonly operation: 'i' | 'd';
  readonly rung: 'm' | 'c' | '-';
  readonly key: string | null;
  readonly context: unknown;
  /** Why the message was not understood; null if no such message applies to the entry. */
  readonly reason: string | null;
}

/** A transaction of 4 to 16 steps; rows are named `prefix.n`. */
export function interleaving(random: Random, prefix: string): readonly Step[] {
  const steps: Step[] = [];
  const open: string[] = [];
  const counter = { rows: 0, savepoints: 0 };
  const row = (): Step => ({
    is: 'row',
    name: `${prefix}.${counter.rows++}`,
    column: random(3) === 0 ? null : `column ${random(3)}`,
    deleted: random(6) === 0,
  });
  const block = (depth: number): Step => ({
    is: 'block',
    fails: random(2) === 0,
    steps: Array.from({ length: 1 + random(3) }, () =>
      depth < 2 && random(4) === 0 ? block(depth + 1) : random(2) === 0 ? row() : said(),
    ),
  });
  const said = (): Step => ({ is: 'message', message: anyMessage(random) });
  for (let left = 4 + random(13); left > 0; left--) {
    const dice = random(20);
    if (dice < 8) steps.push(row());
    else if (dice < 13) steps.push(said());
    else if (dice < 16) {
      const name = `s${counter.savepoints++}`;
      open.push(name);
      steps.push({ is: 'savepoint', name });
    } else if (dice < 18 && open.length > 0) {
      // Savepoints within it no longer exist. The savepoint itself does, and may be rolled back to again.
      const at = random(open.length);
      steps.push({ is: 'rollback', name: open[at]! });
      open.length = at + 1;
    } else if (dice < 19 && open.length > 0) {
      const at = random(open.length);
      steps.push({ is: 'release', name: open[at]! });
      open.length = at;
    } else steps.push(block(0));
  }
  return [...steps, row()];
}

/** Computes what the trail must hold, only from the order of what was not rolled back. */
export function expectedOf(steps: readonly Step[]): readonly Expected[] {
  const happened = survivors(steps);
  const first = happened.find((step) => step.is === 'message');
  let now: State = first === undefined ? NOTHING_SAID : after(NOTHING_SAID, first.says);
  return happened.flatMap((step): Expected[] => {
    if (step.is === 'message') {
      now = after(now, step.says);
      return [];
    }
    const { name } = step;
    const inserted = { name, operation: 'i' as const, ...who(now, step.column) };
    return step.deleted ? [inserted, { name, operation: 'd' as const, ...who(now, null) }] : [inserted];
  });
}

/** Whether a message that concerns changes comes before something is rolled back. */
export function isDoubtful(steps: readonly Step[]): boolean {
  let heard = false;
  const walk = (of: readonly Step[]): boolean =>
    of.some((step) => {
      if (step.is === 'message') heard ||= step.message.says !== null;
      if (step.is === 'block') return walk(step.steps) || (heard && step.fails);
      return step.is === 'rollback' && heard;
    });
  return walk(steps);
}

/**
 * Returns the steps as one SQL text. If `fat`, each row becomes several of 4 kB each, so that the source
 * streams the transaction.
 */
export function sqlOf(steps: readonly Step[], options: { readonly fat: boolean }): string {
  return `begin; ${steps.map((step) => stepSql(step, options)).join(' ')} commit`;
}

/** Number of rows that a row of a fat transaction becomes. */
export const FAT_ROWS = 4;

interface State {
  /** Undefined if no message names anybody, or says that it is nobody. */
  readonly key: string | undefined;
  readonly context: unknown;
  readonly reason: string | null;
}

const NOTHING_SAID: State = { key: undefined, context: undefined, reason: null };

function after(state: State, says: Said): State {
  switch (says.of) {
    case 'everything':
      return { key: says.key ?? undefined, context: says.context, reason: null };
    case 'context':
      return { ...state, context: says.context };
    case 'nothing':
      return { key: undefined, context: undefined, reason: says.reason };
  }
}

function who({ key, context, reason }: State, column: string | null): Omit<Expected, 'name' | 'operation'> {
  if (reason !== null) return { rung: '-', key: null, context, reason };
  if (key !== undefined) return { rung: 'm', key, context, reason };
  return column === null
    ? { rung: '-', key: null, context, reason }
    : { rung: 'c', key: column, context, reason };
}

type Happened = Extract<Step, { is: 'row' }> | { readonly is: 'message'; readonly says: Said };

function survivors(steps: readonly Step[]): Happened[] {
  let happened: Happened[] = [];
  const savepoints = new Map<string, number>();
  for (const step of steps) {
    if (step.is === 'savepoint') savepoints.set(step.name, happened.length);
    else if (step.is === 'rollback') happened = happened.slice(0, savepoints.get(step.name));
    else if (step.is === 'block') happened.push(...(step.fails ? [] : survivors(step.steps)));
    else if (step.is === 'row') happened.push(step);
    else if (step.is === 'message' && step.message.says !== null)
      happened.push({ is: 'message', says: step.message.says });
  }
  return happened;
}

function anyMessage(random: Random): Message {
  const n = random(5);
  const context = { n, text: `of ${n} ü` };
  const ours = (content: string, says: Said): Message => ({
    prefix: 'waltrail',
    transactional: true,
    content,
    says,
  });
  const bemi = (content: string, says: Said): Message => ({
    prefix: '_bemi',
    transactional: true,
    content,
    says,
  });
  const nobody: Said = { of: 'everything', key: null, context: undefined };
  const nothing = (reason: string): Said => ({ of: 'nothing', reason });
  switch (random(18)) {
    case 0:
    case 1:
    case 2:
      return ours(JSON.stringify({ modifier: n }), { of: 'everything', key: `${n}`, context: undefined });
    case 3:
    case 4:
      return ours(JSON.stringify({ context, modifier: `key ${n}` }), {
        of: 'everything',
        key: `key ${n}`,
        context,
      });
    case 5:
      return ours(JSON.stringify({ context }), { of: 'context', context });
    case 6:
      return ours('{"context": null}', { of: 'context', context: undefined });
    case 7:
      return ours('{"modifier": null}', nobody);
    case 8:
    case 9:
      return bemi(JSON.stringify({ user_id: n, n }), {
        of: 'everything',
        key: `${n}`,
        context: { user_id: n, n },
      });
    case 10:
      return bemi(JSON.stringify(context), { of: 'everything', key: null, context });
    case 11:
      return bemi(['null', 'undefined', ''][random(3)]!, nobody);
    case 12:
      return ours(`{"modifier": ${n}`, nothing('not a JSON object'));
    case 13:
      return bemi(`{"user_id": [${n}]}`, nothing('the modifier is no key'));
    case 14:
      return ours(
        `{"modifier": ${n}, "context": ${'['.repeat(500)}${']'.repeat(500)}}`,
        nothing('nested too deeply'),
      );
    case 15: {
      const content = JSON.stringify({ sql: 'x'.repeat(70_000), userId: n });
      const waltrail_cut = { bytes: content.length, leftOut: 1 };
      return bemi(content, { of: 'everything', key: `${n}`, context: { userId: n, waltrail_cut } });
    }
    case 16:
      return random(20) === 0
        ? bemi(`{"userId": ${n}, "sql": "${'x'.repeat(4_400_000)}"}`, nothing('too large'))
        : ours('{}', nothing('neither modifier nor context'));
    default:
      return random(2) === 0
        ? { prefix: 'elsewhere', transactional: true, content: `{"modifier": ${n}}`, says: null }
        : { prefix: 'waltrail', transactional: false, content: `{"modifier": ${n}}`, says: null };
  }
}

function stepSql(step: Step, options: { readonly fat: boolean; readonly inBlock?: boolean }): string {
  switch (step.is) {
    case 'row': {
      const pad = options.fat ? `repeat('x', 4000)` : 'null';
      const column = step.column === null ? 'null' : `'${step.column}'`;
      const insert = `insert into items (name, updated_by, pad) select '${step.name}', ${column}, ${pad} from generate_series(1, ${options.fat ? FAT_ROWS : 1});`;
      return step.deleted ? `${insert} delete from items where name = '${step.name}';` : insert;
    }
    case 'message': {
      const { prefix, transactional, content } = step.message;
      return `${options.inBlock === true ? 'perform' : 'select'} pg_logical_emit_message(${transactional}, '${prefix}', ${literalOf(content)});`;
    }
    case 'savepoint':
      return `savepoint ${step.name};`;
    case 'release':
      return `release ${step.name};`;
    case 'rollback':
      return `rollback to ${step.name};`;
    case 'block': {
      const body = step.steps.map((one) => stepSql(one, { ...options, inBlock: true })).join(' ');
      const raise = step.fails ? `raise exception 'undone';` : '';
      const block = `begin ${body} ${raise} exception when raise_exception then null; end;`;
      return options.inBlock === true ? block : `do $do$ ${block.slice(0, -1)} $do$;`;
    }
  }
}

const LONG = 'x'.repeat(1_000);

/**
 * Returns the SQL that computes a long text on the source. A literal would be parsed there together with
 * every statement around it. It uses no regular expression, because millions of characters may exhaust its
 * stack.
 */
function literalOf(content: string): string {
  const start = content.indexOf(LONG);
  if (start < 0) return `'${content}'`;
  let end = start + LONG.length;
  while (content[end] === 'x') end++;
  return `'${content.slice(0, start)}' || repeat('x', ${end - start}) || '${content.slice(end)}'`;
}
