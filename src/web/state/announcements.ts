import { signal } from '@preact/signals';

/** What screen readers are told now: the text of the page's one live region. */
export const announcement = signal('');

/** Says a text to screen readers, politely. The same text twice is said twice. */
export function announce(text: string): void {
  announcement.value = announcement.peek() === text ? `${text}\u00a0` : text;
}
