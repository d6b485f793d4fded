import { signal } from '@preact/signals';
import { remember, remembered } from './storage.ts';

/** Whether the list of shortcuts is shown. */
export const shortcutsOpen = signal(false);

/**
 * Whether single-key shortcuts are enabled. People who use speech input can turn them off (WCAG 2.1.4).
 */
export const singleKeysEnabled = signal(remembered('shortcuts') !== 'off');

/** Turns single-key shortcuts on or off, and remembers the choice. */
export function enableSingleKeys(enabled: boolean): void {
  singleKeysEnabled.value = enabled;
  remember('shortcuts', enabled ? null : 'off');
}
