import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { show, view } from '../state/view.ts';

export interface TextFilterProps {
  readonly filter: 'q' | 'entity' | 'tenant';
  readonly label: string;
  readonly placeholder: string;
  readonly icon?: ComponentChildren;
}

const DEBOUNCE_MS = 350;

/** A text filter. It takes effect when the reader stops typing or presses Enter. Esc clears it. */
export function TextFilter({ filter, label, placeholder, icon }: TextFilterProps) {
  const id = useId();
  const applied = view.value[filter];
  const [text, setText] = useState(applied);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  /**
   * Whether the current input has added its history entry. Typing adds one entry for Back, even with pauses.
   */
  const stepped = useRef(false);

  useEffect(() => {
    // The filter may have been changed by a chip, by Back, or by a link. If the text in the field was the
    // cause, it is not overwritten.
    if (applied !== text.trim()) setText(applied);
    clearTimeout(timer.current);
  }, [applied]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const apply = (value: string): void => {
    clearTimeout(timer.current);
    if (value.trim() === view.peek()[filter]) return;
    show({ [filter]: value.trim() }, stepped.current ? 'replace' : 'push');
    stepped.current = true;
  };

  return (
    <div class={`text-filter text-filter-${filter}`}>
      <label class="field-label" for={id}>
        {label}
      </label>
      <div class="text-input">
        {icon}
        <input
          id={id}
          type="text"
          inputMode="search"
          enterkeyhint="search"
          autocomplete="off"
          spellcheck={false}
          maxLength={1000}
          placeholder={placeholder}
          value={text}
          data-search={filter === 'q' ? '' : undefined}
          onFocus={() => (stepped.current = false)}
          onInput={(event) => {
            const { value } = event.currentTarget;
            setText(value);
            clearTimeout(timer.current);
            timer.current = setTimeout(() => apply(value), DEBOUNCE_MS);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') apply(event.currentTarget.value);
            else if (event.key === 'Escape' && text !== '') {
              event.preventDefault();
              setText('');
              apply('');
            }
          }}
        />
      </div>
    </div>
  );
}
