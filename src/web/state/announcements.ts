import { signal } from '@preact/signals';

/** The text for screen readers: the content of the page's only live region. */
export const announcement = signal('');

/** Announces a text to screen readers, politely. A text that is repeated is announced again. */
export function announce(text: string): void {
  announcement.value = announcement.peek() === text ? `${text}\u00a0` : text;
}
