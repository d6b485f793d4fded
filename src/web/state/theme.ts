import { signal } from '@preact/signals';
import { remember, remembered } from './storage.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** The remembered theme; public/theme.js has applied it before the first paint. */
export const theme = signal<Theme>(themeOf(remembered('theme')));

/** Light and dark stay, whatever the system says; `system` follows it. */
export function chooseTheme(next: Theme): void {
  theme.value = next;
  remember('theme', next === 'system' ? null : next);
  if (next === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = next;
}

function themeOf(name: string | null): Theme {
  return name === 'light' || name === 'dark' ? name : 'system';
}
