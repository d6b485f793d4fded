import type pg from 'pg';
import { dateOfDay, dayOfId, firstIdOfDay } from '../trail/entry-id.js';
import type { Counters } from './counters.js';
import { capital, counted, ENTRIES, entryText, type Findings } from './findings.js';
import { idOf, type Stretch } from './stretch.js';

/** Most gaps without an entry that are named one by one. */
const MOST_GAPS = 100;

/** Entries of one kind that should not exist: the first one, and their number. */
interface Surplus {
  first: bigint;
  entries: number;
}

/**
 * Checks that there is exactly one entry for each id that the trail's counters name, and no other entry.
 * Consecutive ids are one finding.
 */
export class PresenceChecks {
  readonly #findings: Findings;
  readonly #stretch: Stretch;
  readonly #unknown: Surplus = { first: 0n, entries: 0 };
  readonly #repeated: Surplus = { first: 0n, entries: 0 };
  #hasUnknown = false;

  constructor(findings: Findings, stretch: Stretch) {
    this.#findings = findings;
    this.#stretch = stretch;
  }

  /** Takes a row into the stretch. Returns false for an entry that should not exist. */
  take(row: Buffer, at: number): boolean {
    const taken = this.#stretch.add(row, at);
    if (taken === 'taken') return true;
    const surplus = taken === 'unknown' ? this.#unknown : this.#repeated;
    if (surplus.entries++ === 0) surplus.first = idOf(row, at);
    return false;
  }

  /** Reports missing and surplus entries of the stretch. Call it after all rows were taken. */
  async report(client: pg.Client): Promise<void> {
    for (const { first, last, entries } of this.#stretch.holes()) {
      const isWhole = entries === this.#stretch.bounds.entries;
      this.#findings.add(
        'missing_entry',
        entries === 1
          ? `${capital(entryText(first))} is missing.`
          : `${capital(entryText(first))} to ${last} are missing (${counted(entries, ENTRIES)})${isWhole ? await partitionText(client, dayOfId(first)) : ''}.`,
      );
    }
    this.#reportSurplus(this.#unknown, {
      kind: 'unknown_entry',
      text: 'according to the counters of the trail (trail.day, trail.checkpoint) there is no such entry',
    });
    this.#reportSurplus(this.#repeated, { kind: 'repeated_entry', text: 'the id was stored more than once' });
  }

  /** Compares the counters with each other. */
  checkCounters({ checkpoint, days, dropped }: Counters): void {
    if (checkpoint === null) {
      if (this.#hasUnknown) this.#findings.add('counter', 'The trail has entries and no checkpoint.');
      return;
    }
    const there = days.reduce((sum, { entries }) => sum + BigInt(entries), 0n);
    if (checkpoint.entries === there + dropped) return;
    this.#findings.add(
      'counter',
      `According to the checkpoint, ${checkpoint.entries} entries were stored since the trail began. According to the days, ${there} exist and the retention dropped ${dropped}: ${there + dropped} in total.`,
    );
  }

  #reportSurplus(
    surplus: Surplus,
    { kind, text }: { readonly kind: 'unknown_entry' | 'repeated_entry'; readonly text: string },
  ): void {
    if (surplus.entries === 0) return;
    if (kind === 'unknown_entry') this.#hasUnknown = true;
    const others = surplus.entries > 1 ? ` and ${counted(surplus.entries - 1, ['other', 'others'])}` : '';
    this.#findings.add(kind, `${capital(entryText(surplus.first))}${others}: ${text}.`);
    surplus.entries = 0;
  }
}

/** Returns the state of the partition of a day, if it explains why no entry was found. */
async function partitionText(client: pg.Client, day: number): Promise<string> {
  const name = `entry_${dateOfDay(day).replaceAll('-', '_')}`;
  const { rows } = await client.query<{ made: boolean; attached: boolean }>(
    /* sql */ `select c.oid is not null as made, i.inhrelid is not null as attached
                 from (values ($1::text)) named (name)
                 left join pg_catalog.pg_class c on c.relnamespace = 'trail'::regnamespace and c.relname = named.name
                 left join pg_catalog.pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'trail.entry'::regclass`,
    [name],
  );
  const { made, attached } = rows[0]!;
  if (attached) return '';
  return `: their partition trail.${name} ${made ? 'is detached from trail.entry' : 'does not exist'}`;
}

/** Checks that each gap has the entry that records it. */
export async function checkGaps(
  client: pg.Client,
  { firstDay, findings }: { readonly firstDay: number; readonly findings: Findings },
): Promise<void> {
  const { rows } = await client.query<{ id: number; entry_id: string }>(
    /* sql */ `select g.id, g.entry_id::text from trail.gap g
                where g.entry_id >= $1 and not exists (
                  select from trail.entry e where e.id = g.entry_id and e.rung = 'w' and e.entity_id = g.id::text)
                order by g.id limit ${MOST_GAPS}`,
    [firstIdOfDay(firstDay).toString()],
  );
  for (const { id, entry_id } of rows)
    findings.add('gap', `Gap ${id} names ${entryText(BigInt(entry_id))}, which does not record this gap.`);
}
