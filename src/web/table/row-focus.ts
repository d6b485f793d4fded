/**
 * Moves the focus one row down (1) or up (-1). If the focus is outside of the rows, moves it to the first
 * row. Returns whether there is a row.
 */
export function moveRow(by: 1 | -1): boolean {
  const links = [...document.querySelectorAll<HTMLElement>('[data-row-link]')];
  if (links.length === 0) return false;
  const row = document.activeElement?.closest('tr');
  const current = links.findIndex((link) => link.closest('tr') === row);
  const next = current < 0 ? 0 : Math.min(Math.max(current + by, 0), links.length - 1);
  links[next]!.focus({ preventScroll: true });
  links[next]!.closest('tr')!.scrollIntoView({ block: 'nearest' });
  return true;
}

/** Whether the focus is on a row. */
export const isOnRow = (): boolean => document.activeElement?.matches('[data-row-link]') ?? false;
