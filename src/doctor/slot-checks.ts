import { ERROR_CODES } from '../errors.js';
import { quoteIdentifier } from '../pg/quote.js';
import { formatBytes, formatDuration } from '../tracking/format.js';
import { fail, pass, warn, type Check } from './check.js';
import type { SlotFacts, SourceFacts } from './source-facts.js';

/** From this part of what may be kept on, somebody should know. */
const NEARLY = 0.5;
/** A backlog of less is that of the last seconds. */
const BACKLOG_BYTES = 64 * 1024 ** 2;
/** PostgreSQL copies no slot to standbys before it. */
const HAS_FAILOVER_SLOTS = 170_000;

/** The slot of the source, and what becomes of it while capture stands still or the source fails over. */
export function slotChecks(
  facts: SourceFacts,
  { slot, version }: { readonly slot: string; readonly version: number },
): Check[] {
  return [
    stateCheck(facts, slot),
    ...(facts.slot === undefined || facts.slot.invalidated !== null ? [] : [backlogCheck(facts, facts.slot)]),
    keepCheck(facts),
    ...(facts.idleTimeoutSeconds === null ? [] : [idleCheck(facts.idleTimeoutSeconds, facts.slot)]),
    failoverCheck(facts, version),
  ];
}

function stateCheck({ slot }: SourceFacts, name: string): Check {
  const id = 'source.slot';
  if (slot === undefined)
    return pass(id, `slot ${name} is not there yet; the first start of capture makes it`);
  if (slot.invalidated !== null)
    return fail(
      id,
      `The source has given slot ${name} up (${slot.invalidated}).`,
      ERROR_CODES.SOURCE_SLOT_INVALID.remedy,
    );
  if (slot.active) return pass(id, `slot ${name} is being read`);
  const since = slot.idleSeconds === null ? '' : ` for ${formatDuration(slot.idleSeconds)}`;
  return warn(id, `Nobody has read slot ${name}${since}: capture does not run.`, 'Start Waltrail.');
}

function backlogCheck({ keepBytes, walBytesPerSecond }: SourceFacts, slot: SlotFacts): Check {
  const id = 'source.backlog';
  const kept = `the source keeps ${formatBytes(slot.keptBytes)} of WAL for the slot, ${formatBytes(slot.unacknowledgedBytes)} of it not stored in the trail yet`;
  const { leftBytes } = slot;
  if (leftBytes !== null && keepBytes !== null && leftBytes < (1 - NEARLY) * keepBytes) {
    const lasts =
      walBytesPerSecond === null
        ? ''
        : `, about ${formatDuration(Math.max(leftBytes, 0) / walBytesPerSecond)} at its average rate`;
    return fail(
      id,
      `${capital(kept)}; after another ${formatBytes(Math.max(leftBytes, 0))}${lasts} the slot is given up.`,
      'Let capture run (see source.slot and the log of Waltrail), or raise max_slot_wal_keep_size until it has caught up.',
    );
  }
  if (slot.unacknowledgedBytes > BACKLOG_BYTES)
    return warn(id, `${capital(kept)}.`, 'See waltrail status --watch whether it gets less.');
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
      `max_slot_wal_keep_size is not set: while capture stands still, the source keeps WAL without limit${rate} and can fill its disk, whose free space no SQL tells.${files}`,
      "Compare with the free space of the disk of pg_wal (df), and run: alter system set max_slot_wal_keep_size = '50GB'; select pg_reload_conf(); A longer stop then loses changes, and says so.",
    );
  }
  const lasts =
    walBytesPerSecond === null
      ? ''
      : `, ${formatDuration(keepBytes / walBytesPerSecond)} at its average rate`;
  return pass(
    id,
    `capture may stand still for ${formatBytes(keepBytes)} of WAL${lasts}.${files}`.replace(/\.$/, ''),
  );
}

function idleCheck(seconds: number, slot: SlotFacts | undefined): Check {
  const id = 'source.idle_timeout';
  const idle = slot?.idleSeconds ?? 0;
  const says = `idle_replication_slot_timeout: a slot that nobody reads for ${formatDuration(seconds)} is given up, and changes are lost`;
  const remedy =
    'Run: alter system set idle_replication_slot_timeout = 0; select pg_reload_conf(); max_slot_wal_keep_size protects the disk as well.';
  return idle > NEARLY * seconds
    ? fail(id, `${says}: nobody has read it for ${formatDuration(idle)}.`, remedy)
    : warn(id, `${says}.`, remedy);
}

function failoverCheck({ slot, standbys }: SourceFacts, version: number): Check {
  const id = 'source.failover';
  if (standbys === 0) return pass(id, 'no standby is connected that could become the source');
  if (version < HAS_FAILOVER_SLOTS)
    return warn(
      id,
      `There ${standbys === 1 ? 'is a standby' : `are ${standbys} standbys`}, and this version of PostgreSQL copies no slots to them: a failover begins a gap.`,
      'Run waltrail start at once after a failover, which records the gap and makes a slot there; PostgreSQL 17 and later carry slots over.',
    );
  if (slot?.failover === false)
    return warn(
      id,
      `There ${standbys === 1 ? 'is a standby' : `are ${standbys} standbys`}, and slot ${slot.name} is not copied to them: a failover begins a gap.`,
      `While capture is stopped, run on a replication connection (psql 'replication=database …'): ALTER_REPLICATION_SLOT ${quoteIdentifier(slot.name)} (FAILOVER true);`,
    );
  return pass(
    id,
    'the slot is copied to standbys that have sync_replication_slots = on; name them in synchronized_standby_slots here, so that they never lag behind it',
  );
}

const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;
