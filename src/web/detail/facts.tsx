import type { ComponentChildren } from 'preact';
import type { Entry } from '../api-types.ts';
import { isOwn } from '../entry/own-entries.ts';
import { printExact } from '../exact-json.ts';
import { zone } from '../state/view.ts';
import {
  ACTING_AS_SENTENCE,
  CONFLICT_TEXTS,
  humanize,
  LAST_SET_BY_SENTENCE,
  LATER_KEY_SENTENCE,
  OPERATION_TEXTS,
  RUNG_TEXTS,
  sessionText,
  unreadSentence,
} from '../texts/vocabulary.ts';
import { instantText } from '../time/format.ts';
import { Modifier } from '../ui/badges.tsx';

/**
 * Shows everything that is known about an entry besides its values: who changed it, where the change comes
 * from, and its position in the source's log.
 */
export function Facts({ entry }: { entry: Entry }) {
  const { modifier, entity, transaction } = entry;
  const isUtc = zone.value === 'UTC';
  return (
    <>
      <h3>Who and when</h3>
      <dl class="facts">
        <Fact name="Modified by">
          <Modifier modifier={modifier} />
          {modifier.key !== null && <code>{modifier.key}</code>}
        </Fact>
        {modifier.actingAs !== undefined && (
          <Fact name="Acting as">
            <Modifier modifier={modifier.actingAs} /> <code>{modifier.actingAs.key}</code>
            <span class="muted"> {ACTING_AS_SENTENCE}</span>
          </Fact>
        )}
        <Fact name="How the modifier is known">{RUNG_TEXTS[modifier.rung].sentence}</Fact>
        {entry.conflict !== undefined && (
          <Fact name="Conflict">
            <span class="attribution-conflict">
              <Modifier modifier={entry.conflict} /> <code>{entry.conflict.key}</code>
            </span>
            <span class="muted"> {CONFLICT_TEXTS[entry.conflict.rung].sentence}</span>
          </Fact>
        )}
        {entry.lastSetBy !== undefined && (
          <Fact name="Last set by">
            <Modifier modifier={entry.lastSetBy} /> <code>{entry.lastSetBy.key}</code>
            <span class="muted"> {LAST_SET_BY_SENTENCE}</span>
          </Fact>
        )}
        {entry.unreadMessage !== undefined && (
          <Fact name="Message">
            {unreadSentence(entry.unreadMessage.reason)}{' '}
            <span class="muted">
              LSN <code>{entry.unreadMessage.lsn}</code>
            </span>
          </Fact>
        )}
        {entry.session !== undefined && <Fact name="Session">{sessionText(entry.session)}</Fact>}
        <Fact name={entry.operation === 'baseline' ? 'Read at' : 'Date of modification'}>
          {instantText(entry.committedAt, zone.value, 6)} {zone.value}
          {!isUtc && <span class="muted"> = {entry.committedAt}</span>}
        </Fact>
        {!isOwn(entry) && (
          <Fact name="Entity">
            {humanize(entity.type)} {entity.name ?? ''} {entity.id !== null && <code>{entity.id}</code>}
          </Fact>
        )}
        {entry.laterKey === true && (
          <Fact name="Primary key">
            <span class="muted">{LATER_KEY_SENTENCE}</span>
          </Fact>
        )}
        {entity.previousId !== undefined && (
          <Fact name="Previous entity id">
            <code>{entity.previousId}</code>
          </Fact>
        )}
        {entry.tenant !== null && (
          <Fact name="Tenant">
            <code>{entry.tenant}</code>
          </Fact>
        )}
        {entry.moved !== undefined && (
          <Fact name={entry.moved.side === 'left' ? 'Moved to' : 'Moved from'}>
            {entry.moved.side === 'both' ? <PreviousTenant moved={entry.moved} /> : 'another tenant'}
          </Fact>
        )}
      </dl>
      <h3>Where it comes from</h3>
      <dl class="facts">
        {!isOwn(entry) && (
          <>
            <Fact name="Table">
              <code>{entry.table}</code>
            </Fact>
            <Fact name="Operation">{OPERATION_TEXTS[entry.operation]}</Fact>
          </>
        )}
        <Fact name="Commit LSN">
          <code>{transaction.commitLsn}</code>
        </Fact>
        {/* Entries that Waltrail writes between transactions have no transaction id. */}
        {transaction.xid !== '0' && (
          <>
            <Fact name="Transaction id (xid)">
              <code>{transaction.xid}</code>
            </Fact>
            <Fact name="Position in the transaction (seq)">
              <code>{transaction.seq}</code>
            </Fact>
          </>
        )}
        {transaction.claimedCommitAt !== undefined && (
          <Fact name="Commit time that the source stated">
            <code>{transaction.claimedCommitAt}</code>
          </Fact>
        )}
        {transaction.origin !== undefined && (
          <Fact name="Replication origin">
            <code>{transaction.origin}</code>
          </Fact>
        )}
        <Fact name="Entry id">
          <code>{entry.id}</code>
        </Fact>
      </dl>
      {entry.context !== null && (
        <>
          <h3>Context from the application</h3>
          <pre class="context">{printExact(entry.context, 2)}</pre>
        </>
      )}
    </>
  );
}

function PreviousTenant({ moved }: { moved: NonNullable<Entry['moved']> }) {
  return moved.previousTenant == null ? <>no tenant</> : <code>{moved.previousTenant}</code>;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
