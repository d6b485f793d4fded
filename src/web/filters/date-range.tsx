import { useEffect, useRef, useState } from 'preact/hooks';
import { rangeLimit } from '../state/session.ts';
import { show, view, zone } from '../state/view.ts';
import { inputInstant, inputText, isoText, lengthText } from '../time/format.ts';
import {
  checkRange,
  earliestOf,
  QUICK_RANGE_TEXTS,
  quickRanges,
  rangeText,
  resolveRange,
  type Range,
} from '../time/ranges.ts';
import { CalendarIcon } from '../ui/icons.tsx';
import { Popover } from '../ui/popover.tsx';

/** The range filter: quick ranges, and two ends that can be typed in the zone that is shown. */
export function DateRange() {
  const [open, setOpen] = useState(false);
  const { range } = view.value;
  return (
    <Popover
      label="Date of modification"
      value={rangeText(range, zone.value)}
      isSet={range.kind === 'custom'}
      icon={<CalendarIcon />}
      open={open}
      onToggle={setOpen}
      panelLabel="Choose a date range"
    >
      <RangePanel onDone={() => setOpen(false)} />
    </Popover>
  );
}

function RangePanel({ onDone }: { onDone: () => void }) {
  const root = useRef<HTMLDivElement>(null);
  const limit = { ...rangeLimit.value, zone: zone.value };
  const { maxRangeDays } = limit;
  const { range } = view.value;
  const [draft, setDraft] = useState(() => draftOf(range));
  /**
   * Whether the reader has changed an end. Until then, the panel has the range of the list, without a check.
   */
  const [isChanged, setChanged] = useState(false);
  const custom: Range = {
    kind: 'custom',
    from: inputInstant(draft.from, zone.value),
    to: inputInstant(draft.to, zone.value),
  };
  const isEmpty = custom.from === null && custom.to === null;
  const problem = isEmpty || !isChanged ? null : checkRange(custom, { now: Date.now(), ...limit });

  useEffect(() => {
    root.current!.querySelector<HTMLElement>('[aria-pressed="true"], input')?.focus();
  }, []);

  const choose = (chosen: Range): void => {
    show({ range: chosen });
    // Returns the focus to the button that opened the panel. Otherwise the focus would be lost.
    root.current!.closest('.popover')!.querySelector<HTMLElement>('.field-button')!.focus();
    onDone();
  };

  return (
    <div class="range-panel" ref={root}>
      <div class="range-quick" role="group" aria-label="Quick ranges">
        {quickRanges(maxRangeDays).map((kind) => (
          <button
            key={kind}
            type="button"
            class="quiet"
            aria-pressed={range.kind === kind}
            onClick={() => choose({ kind })}
          >
            {QUICK_RANGE_TEXTS[kind]}
          </button>
        ))}
      </div>
      <form
        class="range-custom"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!isEmpty && problem === null) choose(custom);
        }}
      >
        {(['from', 'to'] as const).map((end) => (
          <label key={end}>
            {end === 'from' ? 'From' : 'To (not included)'}
            <input
              type="datetime-local"
              step="1"
              value={draft[end]}
              aria-describedby="range-note"
              aria-invalid={problem !== null || undefined}
              onInput={(event) => {
                setDraft({ ...draft, [end]: event.currentTarget.value });
                setChanged(true);
              }}
            />
          </label>
        ))}
        <div id="range-note" class={problem === null ? 'help' : 'field-error'} aria-live="polite">
          {problem === null
            ? `At most ${lengthText(maxRangeDays * 86_400_000)}. Times in ${zone.value}. Leave “To” empty for “until now”.`
            : problem.text}
        </div>
        <div class="range-actions">
          {problem?.fixes.map((fix) => (
            <button key={fix.text} type="button" class="quiet bordered" onClick={() => choose(fix.range)}>
              {fix.text}
            </button>
          ))}
          <button type="submit" class="primary" disabled={isEmpty || problem !== null}>
            Apply
          </button>
        </div>
      </form>
    </div>
  );
}

const MINUTE_MS = 60_000;

/** Returns the initial texts of the two ends, which are those of the list's range. */
function draftOf(range: Range): { from: string; to: string } {
  const limit = { ...rangeLimit.peek(), zone: zone.peek() };
  const now = Date.now();
  const ends = resolveRange(range, { now, ...limit });
  // The longest range until now moves with the time, so the draft begins a minute later. It then stays valid.
  const longest = Math.ceil(earliestOf(now, limit) / MINUTE_MS + 1) * MINUTE_MS;
  const from = ends.from ?? (ends.to === undefined ? isoText(longest) : undefined);
  return {
    from: from === undefined ? '' : inputText(from, zone.peek()),
    to: ends.to === undefined ? '' : inputText(ends.to, zone.peek()),
  };
}
