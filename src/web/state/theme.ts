import { signal } from '@preact/signals';
import { remember, remembered } from './storage.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/**
 * The theme in use. Its initial value is the stored one, which public/theme.js applied before the first
 * paint.
 */
export const theme = signal<Theme>(themeOf(remembered('theme')));

/** Applies and remembers a theme. `system` follows the operating system, `light` and `dark` do not. */
export function chooseTheme(next: Theme): void {
  theme.value = next;
  remember('theme', next === 'system' ? null : next);
  if (next === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = next;
}

function themeOf(name: string | null): Theme {
  return name === 'light' || name === 'dark' ? name : 'system';
}
