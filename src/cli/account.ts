import os from 'node:os';

/** Returns the name of the operating system's account. Null if it has none. */
export function accountName(): string | null {
  try {
    return os.userInfo().username;
  } catch {
    return null;
  }
}
