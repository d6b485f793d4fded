import { withinRedactor } from '../pipeline/redaction.js';
import { isNamedBy } from '../tracking/column-lists.js';
import { memberPath } from '../tracking/member-path.js';
import { formatTable } from '../tracking/names.js';
import type { Place } from '../tracking/places.js';
import { memberReason, type RedactionReason } from '../tracking/redact.js';
import { valueKind } from '../tracking/value-kind.js';
import { decodeValue } from '../trail/read/decode.js';
import type { ExplainedText, ExplainedValue, Stored } from './explanation.js';
import type { Subject } from './subject.js';
import type { Field } from './written-entry.js';

/** One side of a column, as it was sent and as it is stored. */
export interface Side {
  /** Undefined if it is not known, or if there is no such side. */
  readonly sent: Field;
  readonly stored: Field;
}

/** Explains what is stored of a column, which rule decides it, and what is shown for it. */
export function explainValue(
  subject: Subject,
  column: number,
  sides: { readonly previous: Side; readonly updated: Side; readonly isShown: boolean },
): ExplainedValue {
  const { name } = subject.relation.columns[column]!;
  const { previous, updated, isShown } = sides;
  const members = membersOf(subject, column, [previous, updated]);
  const { stored, rule, why } = storedAs(subject, column, { ...sides, hasMembers: members.length > 0 });
  const isHidden = !isShown || stored === 'left out';
  const shown = (side: Side): Field => (isHidden ? undefined : side.stored);
  return {
    column: name,
    previous: textOf(subject, column, shown(previous)),
    updated: textOf(subject, column, shown(updated)),
    stored,
    rule,
    why,
    members: isHidden ? [] : members,
    labels: isHidden ? null : labelsOf(subject, name),
    memberLabels: isHidden ? [] : memberLabelsOf(subject, name),
  };
}

const METHODS = { drop: 'left out', mask: 'masked', hash: 'as a hash', truncate: 'shortened' } as const;

function storedAs(
  subject: Subject,
  column: number,
  given: {
    readonly previous: Side;
    readonly updated: Side;
    readonly isShown: boolean;
    readonly hasMembers: boolean;
  },
): { readonly stored: Stored; readonly rule: Place | null; readonly why: string | null } {
  const { tracked, plan, rule, at } = subject;
  const { name } = subject.relation.columns[column]!;
  if (!given.isShown && tracked.ignored[column] === 1) {
    const item = rule.ignore.findIndex((ignored) => isNamedBy(ignored, name));
    return { stored: 'ignored', rule: at('ignore', item), why: null };
  }
  const { whole, because } = plan.redactions[column]!;
  const reason = reasonOf(subject, because);
  if (whole !== null) return { stored: METHODS[whole.method], ...reason };
  if (!given.isShown) return { stored: 'unchanged', rule: null, why: null };
  const isMasked = [given.previous, given.updated].some(({ sent, stored }) => sent !== stored);
  if (isMasked || given.hasMembers)
    return {
      stored: 'with secrets masked in it',
      rule: null,
      why: given.hasMembers ? null : 'a password or a token is in its text (secrets.defaults)',
    };
  return { stored: 'as it is', ...reason };
}

function reasonOf(
  { config }: Subject,
  because: RedactionReason | null,
): { readonly rule: Place | null; readonly why: string | null } {
  switch (because?.is) {
    case undefined:
      return { rule: null, why: null };
    case 'key':
      return { rule: config.places.find(because.path), why: null };
    case 'name':
      return { rule: null, why: 'its name is that of a secret (secrets.defaults)' };
    case 'earlier name':
      return {
        rule: null,
        why: `it was ${formatTable(because.as)}.${because.as.column} before, which is redacted`,
      };
  }
}

/** Members that a rule redacts, or that are redacted because of their names. */
function membersOf(subject: Subject, column: number, sides: readonly Side[]): ExplainedValue['members'] {
  const { config, relation, facts, plan, redactionKey } = subject;
  const { name, typeOid } = relation.columns[column]!;
  const { whole, within } = plan.redactions[column]!;
  if (whole !== null || !within) return [];
  const found = new Map<string, { readonly stored: Stored; readonly rule: Place | null }>();
  const redaction = withinRedactor({
    config,
    name: { schema: relation.schema, table: relation.table, column: name },
    kind: valueKind(typeOid, facts.types),
    key: redactionKey,
    told: (member, rule) =>
      found.set(member, {
        stored: METHODS[rule?.with.method ?? 'mask'],
        rule: reasonOf(subject, memberReason(config, rule)).rule,
      }),
  });
  for (const { sent } of sides) {
    if (typeof sent !== 'string') continue;
    const bytes = Buffer.from(sent);
    redaction?.redactor(bytes, 0, bytes.length);
  }
  return [...found].map(([member, how]) => ({ member, ...how }));
}

function labelsOf({ rule, at }: Subject, column: string): ExplainedValue['labels'] {
  const label = rule.labels.get(column);
  const typed = rule.typedLabels.get(column);
  if (label !== undefined || typed !== undefined) {
    const place = at('labels', column);
    const labels = label === undefined ? [...typed!.of.values()] : [label];
    return { rule: place, lookups: labels.map(({ table, key }) => ({ table, key, rule: place })) };
  }
  return rule.values.has(column) || rule.bits.has(column)
    ? { rule: at('values', column), lookups: [] }
    : null;
}

/** A column that is called so itself comes before a member. */
function memberLabelsOf({ rule, at, relation }: Subject, column: string): ExplainedValue['memberLabels'] {
  const isMember = (name: string): boolean =>
    memberPath(name)?.column === column && relation.columns.every((other) => other.name !== name);
  return [
    ...[...rule.values.keys()].filter(isMember).map((member) => ({
      member,
      rule: at('values', member),
      lookups: [],
    })),
    ...[...rule.labels].flatMap(([member, { table, key }]) => {
      const place = at('labels', member);
      return isMember(member) ? [{ member, rule: place, lookups: [{ table, key, rule: place }] }] : [];
    }),
  ];
}

/** @param text undefined: not known */
function textOf({ tracked, words }: Subject, column: number, text: Field): ExplainedText | null {
  if (text === undefined) return null;
  if (text === null) return { text, label: null };
  const { label } = decodeValue({ is: 'text', text }, words.version(tracked.relationId).columns[column]!);
  return { text, label: label ?? null };
}
