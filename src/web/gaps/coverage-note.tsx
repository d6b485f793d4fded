import { rangeProblem } from '../state/entries.ts';
import { uncoveredPart } from '../state/coverage.ts';

/** Shows above the list which part of the range the trail does not cover. */
export function CoverageNote() {
  const part = uncoveredPart.value;
  if (part === null || part.sentences.length === 0 || rangeProblem.value !== null) return null;
  return (
    <div class="notice coverage" role="status">
      <strong>
        {part.lacks === 'all'
          ? 'The trail does not cover this range.'
          : part.lacks === 'unknown'
            ? 'The trail may not cover all of this range.'
            : 'The trail covers only a part of this range.'}
      </strong>{' '}
      {part.sentences.join(' ')}
    </div>
  );
}
