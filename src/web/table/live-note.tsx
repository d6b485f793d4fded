import { liveProblem, liveState } from '../state/live.ts';
import { CROWDED_TEXT } from '../texts/live-texts.ts';

/**
 * Shows above the list why it is not live although its range has no end. Readers would wait for new entries.
 */
export function LiveNote() {
  const state = liveState.value;
  const problem = liveProblem.value;
  if (state !== 'crowded' && (state !== 'refused' || problem === null)) return null;
  const reason = state === 'crowded' ? [CROWDED_TEXT] : [problem!.detail ?? problem!.title, problem!.remedy];
  return (
    <div class="notice coverage" role="status">
      <strong>This list is not live.</strong> {reason.join(' ')}
    </div>
  );
}
