/**
 * Whom the witnesses of one row name for its changes, in the order in which both stand in their transaction.
 *
 * Some applications write the witness behind the change, some before it, some both ways: each witness speaks
 * for the changes before it that no other has spoken for, or else for those behind it. Where witnesses
 * disagree, that counts only if it comes out even, one witness for each run of changes: else a witness or a
 * change is not in its place, and any of them may be meant by another.
 *
 * @param said whom each witness names; null: nobody
 * @param changed by the number of witnesses before: whether the row changed between these and the next one
 * @returns by the same number, for the changes there; null: nobody
 */
export function rowSpeakers<T>(
  said: readonly (T | null)[],
  changed: readonly boolean[],
): readonly (T | null)[] {
  const nobody = changed.map(() => null);
  if (said.length === 0) return nobody;
  const [first] = said;
  if (said.every((one) => one === first)) return changed.map(() => first!);
  const speakers: (T | null)[] = [...nobody];
  /** Changes that nobody has spoken for. */
  let open: number | null = null;
  /** A witness that found none. */
  let waiting: number | null = null;
  for (let place = 0; place <= said.length; place++) {
    if (changed[place] === true) {
      if (waiting === null) open = place;
      else speakers[place] = said[waiting]!;
      waiting = null;
    }
    if (place === said.length) break;
    if (open !== null) {
      speakers[open] = said[place]!;
      open = null;
    } else if (waiting === null) {
      waiting = place;
    } else {
      return nobody;
    }
  }
  return open === null && waiting === null ? speakers : nobody;
}
