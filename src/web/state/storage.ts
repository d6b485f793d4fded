/** Reads a small choice that this browser remembers; null if there is none, or if storage is forbidden. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`waltrail.${name}`);
  } catch {
    return null;
  }
}

/**
 * Remembers a small choice, or forgets it (null). If storage is forbidden or full, the choice lasts until the
 * page is left.
 */
export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`waltrail.${name}`);
    else localStorage.setItem(`waltrail.${name}`, value);
  } catch {
    // The choice still holds until the page is left.
  }
}
