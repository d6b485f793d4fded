import { signal } from '@preact/signals';
import { announce } from './announcements.ts';

/** Notices that the reader has not dismissed, oldest first. No text is in the list twice. */
export const notices = signal<readonly string[]>([]);

/** Shows a text that needs no answer above the list, until the reader dismisses it. */
export function notify(text: string): void {
  if (notices.peek().includes(text)) return;
  notices.value = [...notices.peek(), text];
  announce(text);
}

/** Removes a notice. */
export function dismiss(text: string): void {
  notices.value = notices.peek().filter((other) => other !== text);
}
