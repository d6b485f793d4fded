import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { ChevronIcon } from './icons.tsx';

export interface PopoverProps {
  readonly label: string;
  /** Text for the current choice. */
  readonly value: string;
  readonly isSet: boolean;
  readonly icon?: ComponentChildren;
  readonly open: boolean;
  readonly onToggle: (open: boolean) => void;
  readonly panelLabel?: string;
  readonly children: ComponentChildren;
}

/**
 * Shows a labelled button that opens a panel below it. Esc and a click elsewhere close the panel. Esc returns
 * the focus to the button.
 */
export function Popover({ label, value, isSet, icon, open, onToggle, panelLabel, children }: PopoverProps) {
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return undefined;
    const closeOutside = (event: Event): void => {
      if (!root.current!.contains(event.target as Node)) onToggle(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    document.addEventListener('focusin', closeOutside);
    return () => {
      document.removeEventListener('pointerdown', closeOutside);
      document.removeEventListener('focusin', closeOutside);
    };
  }, [open]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !open) return;
    event.preventDefault();
    event.stopPropagation();
    onToggle(false);
    button.current!.focus();
  };

  return (
    <div class="popover" ref={root} onKeyDown={onKeyDown}>
      <span class="field-label" id={`${id}-label`}>
        {label}
      </span>
      <button
        type="button"
        ref={button}
        class={`field-button${isSet ? ' is-set' : ''}`}
        aria-expanded={open}
        aria-haspopup="dialog"
        aria-controls={open ? `${id}-panel` : undefined}
        aria-labelledby={`${id}-label ${id}-value`}
        onClick={() => onToggle(!open)}
      >
        {icon}
        <span class="field-value" id={`${id}-value`}>
          {value}
        </span>
        <ChevronIcon />
      </button>
      {open && (
        <div class="popover-panel" id={`${id}-panel`} role="dialog" aria-label={panelLabel ?? label}>
          {children}
        </div>
      )}
    </div>
  );
}
