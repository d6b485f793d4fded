import { ERROR_CODES } from '../errors.js';
import { quoteIdentifier } from '../pg/quote.js';
import { formatBytes, formatDuration } from '../tracking/format.js';
import { fail, pass, warn, type Check } from './check.js';
import type { SlotFacts, SourceFacts } from './source-facts.js';

/** Part of a limit from which a person should be told that the limit is near. */
const NEARLY = 0.5;
/** A smaller backlog may come from the last seconds alone. */
const BACKLOG_BYTES = 64 * 1024 ** 2;
/** First version of PostgreSQL that copies slots to standbys. */
const HAS_FAILOVER_SLOTS = 170_000;

/**
 * Checks the slot of the source, and what happens to it while capture is stopped or at a failover.
 *
 * @param options.begun true if a trail of this source was begun from the slot; false: not, or not known
 */
export function slotChecks(
  facts: SourceFacts,
  options: { readonly slot: string; readonly version: number; readonly begun: boolean },
): Check[] {
  const { version } = options;
  return [
    stateCheck(facts, options),
    ...(facts.slot === undefined || facts.slot.invalidated !== null ? [] : [backlogCheck(facts, facts.slot)]),
    keepCheck(facts),
    ...(facts.idleTimeoutSeconds === null ? [] : [idleCheck(facts.idleTimeoutSeconds, facts.slot)]),
    failoverCheck(facts, version),
  ];
}

function stateCheck(
  { slot }: SourceFacts,
  { slot: name, begun }: { readonly slot: string; readonly begun: boolean },
): Check {
  const id = 'source.slot';
  if (slot === undefined && begun)
    return fail(
      id,
      `Slot ${name}, from which the trail was written, no longer exists: changes are being lost.`,
      ERROR_CODES.SOURCE_SLOT_LOST.remedy,
    );
  if (slot === undefined)
    return pass(id, `slot ${name} does not exist yet; the first start of capture creates it`);
  if (slot.invalidated !== null)
    return fail(
      id,
      `The source has invalidated slot ${name} (${slot.invalidated}).`,
      ERROR_CODES.SOURCE_SLOT_INVALID.remedy,
    );
  if (slot.active) return pass(id, `slot ${name} is being read`);
  const is =
    slot.idleSeconds === null
      ? 'is not being read'
      : `has not been read for ${formatDuration(slot.idleSeconds)}`;
  return warn(id, `Slot ${name} ${is}: capture does not run.`, 'Start Waltrail.');
}

function backlogCheck({ keepBytes, walBytesPerSecond }: SourceFacts, slot: SlotFacts): Check {
  const id = 'source.backlog';
  const kept = `the source keeps ${formatBytes(slot.keptBytes)} of WAL for the slot, ${formatBytes(slot.unacknowledgedBytes)} of that is not stored in the trail yet`;
  const { leftBytes } = slot;
  if (leftBytes !== null && keepBytes !== null && leftBytes < (1 - NEARLY) * keepBytes) {
    const lasts =
      walBytesPerSecond === null
        ? ''
        : `, about ${formatDuration(Math.max(leftBytes, 0) / walBytesPerSecond)} at its average rate`;
    return fail(
      id,
      `${capital(kept)}. After another ${formatBytes(Math.max(leftBytes, 0))}${lasts}, the source invalidates the slot.`,
      'Resume capture (see source.slot and the log of Waltrail), or raise max_slot_wal_keep_size until capture has caught up.',
    );
  }
  if (slot.unacknowledgedBytes > BACKLOG_BYTES)
    return warn(id, `${capital(kept)}.`, 'Run waltrail status --watch to see whether it decreases.');
  return pass(id, kept);
}

function keepCheck({ keepBytes, walBytesPerSecond, walFilesBytes }: SourceFacts): Check {
  const id = 'source.wal_keep';
  const files = walFilesBytes === null ? '' : ` Its WAL files take ${formatBytes(walFilesBytes)} now.`;
  if (keepBytes === null) {
    const rate =
      walBytesPerSecond === null ? '' : ` (about ${formatBytes(86_400 * walBytesPerSecond)} a day)`;
    return warn(
      id,
      `max_slot_wal_keep_size is not set: while capture is stopped, the source keeps WAL without limit${rate} and can fill its disk.${files}`,
      "Choose a limit below the free space of the disk that holds pg_wal (df shows it; SQL cannot). Run: alter system set max_slot_wal_keep_size = '50GB'; select pg_reload_conf(); If capture is stopped for longer than that allows, changes are lost, and Waltrail records a gap.",
    );
  }
  const lasts =
    walBytesPerSecond === null
      ? ''
      : `, ${formatDuration(keepBytes / walBytesPerSecond)} at its average rate`;
  return pass(
    id,
    `capture may be stopped for ${formatBytes(keepBytes)} of WAL${lasts}.${files}`.replace(/\.$/, ''),
  );
}

function idleCheck(seconds: number, slot: SlotFacts | undefined): Check {
  const id = 'source.idle_timeout';
  const idle = slot?.idleSeconds ?? 0;
  const says = `idle_replication_slot_timeout: the source invalidates a slot that was not read for ${formatDuration(seconds)}, and changes are lost`;
  const remedy =
    'Run: alter system set idle_replication_slot_timeout = 0; select pg_reload_conf(); To protect the disk, set max_slot_wal_keep_size instead.';
  return idle > NEARLY * seconds
    ? fail(id, `${says}. This slot was not read for ${formatDuration(idle)}.`, remedy)
    : warn(id, `${says}.`, remedy);
}

function failoverCheck({ slot, standbys }: SourceFacts, version: number): Check {
  const id = 'source.failover';
  if (standbys === 0) return pass(id, 'no standby is connected that could become the source');
  if (version < HAS_FAILOVER_SLOTS)
    return warn(
      id,
      `There ${standbys === 1 ? 'is a standby' : `are ${standbys} standbys`}, and this version of PostgreSQL does not copy slots to them: a failover begins a gap.`,
      'After a failover, run waltrail start immediately: it records the gap and creates a slot on the new primary. PostgreSQL 17 and later can copy slots.',
    );
  if (slot?.failover === false)
    return warn(
      id,
      `There ${standbys === 1 ? 'is a standby' : `are ${standbys} standbys`}, and slot ${slot.name} is not copied to them: a failover begins a gap.`,
      `While capture is stopped, run on a replication connection (psql 'replication=database …'): ALTER_REPLICATION_SLOT ${quoteIdentifier(slot.name)} (FAILOVER true);`,
    );
  return pass(
    id,
    'the slot is copied to standbys that have sync_replication_slots = on; name their slots in synchronized_standby_slots on this server, so that they never lag behind it',
  );
}

const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;
