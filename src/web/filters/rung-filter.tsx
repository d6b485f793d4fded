import { useId } from 'preact/hooks';
import type { Rung } from '../api-types.ts';
import { show, view } from '../state/view.ts';
import { humanize, RUNG_TEXTS } from '../texts/vocabulary.ts';

/** The value of the select for several rungs. Only a link can set several. */
const SEVERAL = 'several';

/** The filter for how the modifier was found. It is a part of the list of modifiers. */
export function RungFilter() {
  const id = useId();
  const chosen = view.value.rungs;
  const value = chosen.length > 1 ? SEVERAL : (chosen[0] ?? '');
  return (
    <div class="rung-filter">
      <label class="field-label" for={id}>
        How the modifier is known
      </label>
      <select
        id={id}
        value={value}
        onChange={({ currentTarget }) =>
          show({ rungs: currentTarget.value === '' ? [] : [currentTarget.value] })
        }
      >
        <option value="">In any way</option>
        {(Object.keys(RUNG_TEXTS) as Rung[]).map((rung) => (
          <option key={rung} value={rung}>
            {humanize(RUNG_TEXTS[rung].short)}
          </option>
        ))}
        {value === SEVERAL && (
          <option value={SEVERAL} disabled>
            In one of {chosen.length} ways
          </option>
        )}
      </select>
    </div>
  );
}
