import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { openModals } from '../state/modals.ts';

export interface ModalProps {
  /** `box` is in the middle, `drawer` at the right edge. A click outside of a drawer closes it. */
  readonly shape: 'box' | 'drawer';
  /** Id of the heading. */
  readonly labelledBy: string;
  readonly onClose: () => void;
  /**
   * Returns the element that gets the focus when the dialog closes. Default: the element that had it before.
   */
  readonly focusAfter?: () => HTMLElement | null;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly children: ComponentChildren;
}

/**
 * Shows a native modal dialog, which is open while it is rendered. The browser keeps the focus in it and
 * makes the rest of the page inert.
 */
export function Modal({ shape, labelledBy, onClose, focusAfter, onKeyDown, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isGone = useRef(false);
  const after = useRef(focusAfter);
  after.current = focusAfter;

  useLayoutEffect(() => {
    const element = dialog.current!;
    const opener = document.activeElement as HTMLElement | null;
    element.showModal();
    openModals.value = openModals.peek() + 1;
    return () => {
      isGone.current = true;
      element.close();
      const next = after.current?.() ?? opener;
      next?.focus({ preventScroll: next === opener });
      openModals.value = openModals.peek() - 1;
    };
  }, []);
  // A browser may close a dialog without asking (at a second Esc). Then it must no longer be rendered.
  useEffect(() => {
    const element = dialog.current!;
    const closed = (): void => {
      if (!isGone.current) onClose();
    };
    element.addEventListener('close', closed);
    return () => element.removeEventListener('close', closed);
  }, [onClose]);

  return (
    <dialog
      ref={dialog}
      class={shape}
      aria-labelledby={labelledBy}
      onCancel={(event) => {
        // Handles the event of this dialog only, not that of a file or colour chooser in it.
        if (event.target !== dialog.current) return;
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        // The content of a drawer covers the whole dialog, so a click whose target is the dialog was on the
        // backdrop.
        if (shape === 'drawer' && event.target === dialog.current) onClose();
      }}
      onKeyDown={onKeyDown}
    >
      {children}
    </dialog>
  );
}
