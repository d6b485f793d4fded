import type { Gap, GapList } from '../api-types.ts';
import { OWN_TYPE } from '../entry/own-entries.ts';
import { listState } from '../state/entries.ts';
import { gaps, gapsProblem, loadGaps } from '../state/gaps.ts';
import { rangeLimit, session } from '../state/session.ts';
import { NO_FILTERS } from '../state/url-state.ts';
import { show, urlOf, view, zone } from '../state/view.ts';
import { countText } from '../texts/numbers.ts';
import { dateText, isoText, timeText } from '../time/format.ts';
import { earliestOf, resolveRange, type Range } from '../time/ranges.ts';
import { AlertIcon } from '../ui/icons.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';

const MINUTE_MS = 60_000;

/** Warns that the trail may be incomplete in the range. It is one alert for all gaps. */
export function GapBanner() {
  const found = gaps.value;
  if (found !== null && found.total > 0) return <Banner found={found} />;
  const problem = gapsProblem.value;
  // If the list has failed as well, its problem says the same.
  if (found !== null || problem === null || listState.value.is === 'failed') return null;
  return (
    <ProblemBox
      problem={{
        title: 'It is not known whether the trail is complete in this range',
        detail: problem.title,
        ...(problem.remedy === undefined ? {} : { remedy: problem.remedy }),
      }}
    >
      <button type="button" class="bordered" onClick={() => void loadGaps()}>
        Try again
      </button>
    </ProblemBox>
  );
}

function Banner({ found: { items, total } }: { found: GapList }) {
  const [first] = items;
  const rest = total - items.length;
  return (
    <div class="problem gaps" role="alert">
      <AlertIcon />
      <div>
        <p class="problem-title">
          {total === 1 && first !== undefined
            ? `The trail may be incomplete ${stretchText(first)}`
            : `The trail may be incomplete in ${countText(total)} parts of this range`}
        </p>
        {total === 1 && first !== undefined ? (
          <p>
            <Reason gap={first} />
          </p>
        ) : (
          <ul>
            {items.map((gap) => (
              <li key={gap.id}>
                <strong>{capital(stretchText(gap))}.</strong> <Reason gap={gap} />
              </li>
            ))}
            {rest > 0 && <li>{countText(rest)} older ones</li>}
          </ul>
        )}
        <StandingStill items={items} />
        {session.value?.tenant === null && (
          <p class="problem-actions">
            <OwnEntries items={items} />
          </p>
        )}
      </div>
    </div>
  );
}

function Reason({ gap }: { gap: Gap }) {
  return (
    <>
      {gap.summary}{' '}
      <span class="gap-facts">
        (<code>{gap.code}</code>
        {gap.tables !== undefined && `; ${gap.tables?.join(', ') ?? 'all tracked tables'}`})
      </span>
    </>
  );
}

/** Explains what happens with gaps that have not ended. */
function StandingStill({ items }: { items: readonly Gap[] }) {
  const open = items.filter(({ closedAt }) => closedAt === null);
  const stops = open.filter(({ scope }) => scope === 'stream');
  if (open.length === 0) return null;
  if (stops.length === 0)
    return (
      <p class="problem-remedy">
        <strong>Recording of other tables continues.</strong> The operator of Waltrail sees the cause and the
        remedy with <code>waltrail gaps</code>. The gap ends when the table is recorded again or dropped.
      </p>
    );
  return (
    <p class="problem-remedy">
      <strong>Recording is stopped.</strong>{' '}
      {stops.every(({ acceptedAt }) => acceptedAt !== null) ? (
        'The gap is accepted. Recording resumes as soon as the source is ready.'
      ) : (
        <>
          The operator of Waltrail sees the cause and the remedy with <code>waltrail gaps</code>, and then
          resumes recording with <code>waltrail gaps --accept</code>.
        </>
      )}
    </p>
  );
}

/**
 * Links to the entries that Waltrail wrote about the gaps. Readers of one tenant do not see these entries.
 */
function OwnEntries({ items }: { items: readonly Gap[] }) {
  const change = { ...NO_FILTERS, entityTypes: [OWN_TYPE], range: rangeWith(items) };
  return (
    <a
      href={urlOf({ ...view.value, ...change })}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        show(change);
      }}
    >
      Show Waltrail’s entries about this
    </a>
  );
}

/**
 * Returns the range of the view if it holds the entries about these gaps, else a range that does. The times
 * of these entries are the times at which the gaps were found.
 */
function rangeWith(items: readonly Gap[]): Range {
  const { range } = view.value;
  const now = Date.now();
  const limit = { ...rangeLimit.value, zone: zone.value };
  const { from, to } = resolveRange(range, { now, ...limit });
  const start = from === undefined ? earliestOf(now, limit) : Date.parse(from);
  const end = to === undefined ? Infinity : Date.parse(to);
  const found = items.map(({ foundAt }) => Date.parse(foundAt));
  if (found.every((at) => at >= start && at < end)) return range;
  const newest = Math.max(...found);
  const first = Math.max(Math.min(...found) - MINUTE_MS, earliestOf(newest + MINUTE_MS, limit));
  return { kind: 'custom', from: isoText(first), to: isoText(newest + MINUTE_MS) };
}

function stretchText({ lastEntryAt, closedAt }: Gap): string {
  if (closedAt === null)
    return lastEntryAt === null ? 'from its beginning on' : `since ${whenText(lastEntryAt)}`;
  return lastEntryAt === null
    ? `before ${whenText(closedAt)}`
    : `between ${whenText(lastEntryAt)} and ${whenText(closedAt)}`;
}

const whenText = (timestamp: string): string =>
  `${dateText(timestamp, zone.value)} ${timeText(timestamp, zone.value)}`;
const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
