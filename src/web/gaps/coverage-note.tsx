import { rangeProblem } from '../state/entries.ts';
import { uncoveredPart } from '../state/coverage.ts';

/** Says what of the range the trail does not cover, above the list. */
export function CoverageNote() {
  const part = uncoveredPart.value;
  if (part === null || part.sentences.length === 0 || rangeProblem.value !== null) return null;
  return (
    <div class="notice coverage" role="status">
      <strong>
        {part.isWhole
          ? 'The trail does not cover this range.'
          : 'The trail covers only a part of this range.'}
      </strong>{' '}
      {part.sentences.join(' ')}
    </div>
  );
}
