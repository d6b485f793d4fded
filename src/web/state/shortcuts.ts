import { signal } from '@preact/signals';
import { remember, remembered } from './storage.ts';

/** Whether the list of shortcuts is shown. */
export const shortcutsOpen = signal(false);

/** Whether single keys act. They can be turned off, for those who speak to their computer (WCAG 2.1.4). */
export const singleKeysEnabled = signal(remembered('shortcuts') !== 'off');

/** Turns single keys on or off, and remembers it. */
export function enableSingleKeys(enabled: boolean): void {
  singleKeysEnabled.value = enabled;
  remember('shortcuts', enabled ? null : 'off');
}
