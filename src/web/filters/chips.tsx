import type { Rung } from '../api-types.ts';
import { actionName, modifierName } from '../state/facets.ts';
import { isFiltered, type ListFilter, type View } from '../state/url-state.ts';
import { clearFilters, show, view, zone } from '../state/view.ts';
import { humanize, RUNG_TEXTS, vocabularyText } from '../texts/vocabulary.ts';
import { DEFAULT_RANGE, rangeText } from '../time/ranges.ts';
import { CloseIcon } from '../ui/icons.tsx';

interface Chip {
  readonly key: string;
  readonly label: string;
  readonly value: string;
  readonly without: Partial<View>;
}

/** Shows every filter that is set. Each can be removed separately, or all at once. */
export function Chips() {
  const current = view.value;
  const chips = chipsOf(current);
  if (chips.length === 0) return null;
  return (
    <div class="chips">
      <ul aria-label="Active filters">
        {chips.map((chip) => (
          <li key={chip.key}>
            <button
              type="button"
              class="chip"
              aria-label={`Remove filter ${chip.label}: ${chip.value}`}
              onClick={(event) => {
                const list = event.currentTarget.closest('.filters');
                show(chip.without);
                list?.querySelector<HTMLElement>('.field-button')?.focus();
              }}
            >
              <span class="chip-label">{chip.label}</span> {chip.value}
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
      <button
        type="button"
        class="quiet"
        onClick={(event) => {
          const list = event.currentTarget.closest('.filters');
          clearFilters();
          list?.querySelector<HTMLElement>('.field-button')?.focus();
        }}
      >
        Clear all
      </button>
    </div>
  );
}

function chipsOf(current: View): readonly Chip[] {
  const list = (filter: ListFilter, label: string, text: (value: string) => string): Chip[] =>
    current[filter].map((value) => ({
      key: `${filter}:${value}`,
      label,
      value: text(value),
      without: { [filter]: current[filter].filter((other) => other !== value) },
    }));
  const text = (filter: 'entity' | 'tenant' | 'q', label: string): Chip[] =>
    current[filter] === '' ? [] : [{ key: filter, label, value: current[filter], without: { [filter]: '' } }];
  const isOtherRange =
    current.range.kind !== DEFAULT_RANGE && (isFiltered(current) || current.range.kind === 'custom');
  return [
    ...(isOtherRange
      ? [
          {
            key: 'range',
            label: 'Date',
            value: rangeText(current.range, zone.value),
            without: { range: { kind: DEFAULT_RANGE } } as const,
          },
        ]
      : []),
    ...list('modifiers', 'Modified by', (key) => modifierName(key).name),
    ...list('actingAs', 'Acting as', (key) => modifierName(key).name),
    ...list('actions', 'Action', (value) => vocabularyText(value, actionName(value))),
    ...list('entityTypes', 'Type', humanize),
    ...list('rungs', 'Modifier', (rung) => RUNG_TEXTS[rung as Rung].short),
    ...text('entity', 'Entity id'),
    ...text('tenant', 'Tenant'),
    ...text('q', 'Text'),
  ];
}
