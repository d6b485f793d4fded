import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Facet, FacetList, Problem } from '../api-types.ts';
import { actionName, modifierName, optionsOf } from '../state/facets.ts';
import { isOfPeople, type FacetFilter } from '../state/url-state.ts';
import { show, view } from '../state/view.ts';
import { countText } from '../texts/numbers.ts';
import { vocabularyText } from '../texts/vocabulary.ts';
import { KindBadge } from '../ui/badges.tsx';
import { CheckIcon, SearchIcon } from '../ui/icons.tsx';
import { Popover } from '../ui/popover.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';
import { matchOptions, optionText } from './match.ts';

export interface MultiSelectProps {
  readonly filter: FacetFilter;
  readonly label: string;
  /** Text of the button when nothing is chosen. */
  readonly any: string;
  readonly searchLabel: string;
  /** Whether `children` have a filter set. */
  readonly isNarrowed?: boolean;
  /** Further filters, below the list. */
  readonly children?: ComponentChildren;
}

/**
 * A filter that takes several values: a button that shows what is chosen, and below it a list with a search
 * field.
 */
export function MultiSelect({
  filter,
  label,
  any,
  searchLabel,
  isNarrowed = false,
  children,
}: MultiSelectProps) {
  const [open, setOpen] = useState(false);
  const chosen = view.value[filter];
  const first = chosen[0];
  const firstText =
    first === undefined
      ? any
      : isOfPeople(filter)
        ? modifierName(first).name
        : vocabularyText(first, filter === 'actions' ? actionName(first) : first);
  return (
    <Popover
      label={label}
      value={chosen.length > 1 ? `${firstText} +${chosen.length - 1}` : firstText}
      isSet={chosen.length > 0 || isNarrowed}
      open={open}
      onToggle={setOpen}
    >
      <OptionList filter={filter} label={label} searchLabel={searchLabel} />
      {children}
    </Popover>
  );
}

/** What the server found for a search, or the problem of the request. */
interface Answered {
  readonly asked: string;
  readonly options: FacetList | Problem;
}

/** Time without a keystroke after which the server is asked. */
const SEARCH_MS = 200;

/**
 * The search field and its list box: the WAI-ARIA combobox pattern with a multi-selectable list. The focus
 * stays in the search field; aria-activedescendant names the active option.
 */
function OptionList({
  filter,
  label,
  searchLabel,
}: Pick<MultiSelectProps, 'filter' | 'label' | 'searchLabel'>) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [answer, setAnswer] = useState<Answered | null>(null);
  /** The list without a search. Matching options of it are shown until the server has answered. */
  const [unsearched, setUnsearched] = useState<FacetList | null>(null);
  /**
   * Whether the list has all values. Then it is searched here, else by the server, which knows former names.
   */
  const [isWhole, setIsWhole] = useState(false);
  const [search, setSearch] = useState('');
  const [active, setActive] = useState(0);
  const chosen = view.value[filter];
  const isVocabulary = !isOfPeople(filter);

  const asked = isWhole ? '' : search.trim();

  useEffect(() => input.current!.focus(), []);
  useEffect(() => {
    const abort = new AbortController();
    const load = async (): Promise<void> => {
      const loaded = await optionsOf(filter, { search: asked, signal: abort.signal });
      if (loaded === undefined || abort.signal.aborted) return;
      setAnswer({ asked, options: loaded });
      if (asked !== '' || !isList(loaded)) return;
      setUnsearched(loaded);
      setIsWhole(isVocabulary && loaded.more.values === 0);
    };
    const timer = setTimeout(() => void load(), asked === '' ? 0 : SEARCH_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [asked]);

  const isAnswered = answer?.asked === asked;
  const options = isAnswered ? answer.options : unsearched;
  const listed = options !== null && isList(options) ? options.items : [];
  const shown = isWhole || !isAnswered ? matchOptions(listed, search, isVocabulary) : listed;
  const current = Math.min(active, shown.length - 1);

  useEffect(() => {
    list.current?.children[current]?.scrollIntoView({ block: 'nearest' });
  }, [current]);

  const toggle = (option: Facet): void => {
    const rest = chosen.filter((value) => value !== option.value);
    show({ [filter]: rest.length === chosen.length ? [...chosen, option.value] : rest });
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const moves: Partial<Record<string, number>> = {
      ArrowDown: current + 1 >= shown.length ? 0 : current + 1,
      ArrowUp: current <= 0 ? shown.length - 1 : current - 1,
      PageDown: Math.min(current + 8, shown.length - 1),
      PageUp: Math.max(current - 8, 0),
    };
    const next = moves[event.key];
    if (next !== undefined) setActive(next);
    else if (event.key === 'Enter' && shown[current] !== undefined) toggle(shown[current]);
    else return;
    event.preventDefault();
  };

  return (
    <>
      <div class="option-search">
        <SearchIcon />
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label={searchLabel}
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={shown[current] === undefined ? undefined : `${id}-${current}`}
          placeholder="Search"
          autocomplete="off"
          spellcheck={false}
          value={search}
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      {options !== null && !isList(options) && <ProblemBox problem={options} />}
      <ul
        id={`${id}-list`}
        ref={list}
        class="options"
        role="listbox"
        aria-multiselectable="true"
        aria-label={label}
      >
        {shown.map((option, index) => {
          const isChosen = chosen.includes(option.value);
          return (
            <li
              key={option.value}
              id={`${id}-${index}`}
              role="option"
              aria-selected={isChosen}
              class={`option${index === current ? ' is-active' : ''}`}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => {
                setActive(index);
                toggle(option);
              }}
            >
              <span class="option-check">{isChosen && <CheckIcon />}</span>
              <span class={`option-text${option.kind === null ? ' modifier-none' : ''}`}>
                {optionText(option, isVocabulary)}
              </span>
              {option.kind != null && <KindBadge kind={option.kind} />}
              <span class="option-count">
                {countText(option.count)}
                <span class="visually-hidden"> entries</span>
              </span>
            </li>
          );
        })}
      </ul>
      <p class="options-note" role="status">
        {noteOf({ options, isAnswered, shown: shown.length, search })}
      </p>
      {chosen.length > 0 && (
        <button
          type="button"
          class="quiet options-clear"
          onClick={() => (show({ [filter]: [] }), input.current!.focus())}
        >
          Clear {chosen.length} selected
        </button>
      )}
    </>
  );
}

function noteOf({
  options,
  isAnswered,
  shown,
  search,
}: {
  readonly options: FacetList | Problem | null;
  readonly isAnswered: boolean;
  readonly shown: number;
  readonly search: string;
}): string {
  if (options === null) return 'Loading…';
  if (!isList(options)) return '';
  if (!isAnswered) return shown > 0 ? '' : 'Searching…';
  const { values, entries } = options.more;
  if (values > 0 && search === '')
    return `${countText(values)} more, with ${countText(entries)} entries. Search to find them.`;
  if (values > 0) return `${countText(values)} more match.`;
  if (shown > 0) return '';
  return search === '' ? 'Nothing happened in this range.' : `Nothing matches “${search}”.`;
}

const isList = (options: FacetList | Problem): options is FacetList => 'items' in options;
