/** Reads a choice that this browser has stored. Null if there is none, or if storage is forbidden. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`waltrail.${name}`);
  } catch {
    return null;
  }
}

/**
 * Stores a choice in the browser, or removes it (null). If storage is forbidden or full, the choice applies
 * until the page is left.
 */
export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`waltrail.${name}`);
    else localStorage.setItem(`waltrail.${name}`, value);
  } catch {
    // The choice still applies until the page is left.
  }
}
