/** Remembers small choices of this browser. Storage may be forbidden or full: then they hold until the page is left. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`waltrail.${name}`);
  } catch {
    return null;
  }
}

/** Null forgets. */
export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`waltrail.${name}`);
    else localStorage.setItem(`waltrail.${name}`, value);
  } catch {
    // Nothing is lost but the memory of it.
  }
}
