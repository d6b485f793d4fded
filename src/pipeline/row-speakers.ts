/**
 * Returns the persons that the witnesses of one row name for its changes. Witnesses and changes are in the
 * order of their transaction.
 *
 * Some applications write the witness after the change, some before it, and some in both ways. A witness
 * speaks for the changes before it that no other witness has spoken for. If there are none, it speaks for the
 * changes after it. Witnesses that disagree count only if there is exactly one for each run of changes.
 * Otherwise a witness or a change is not in its place, and any witness may mean another change.
 *
 * @param said the person that each witness names; null: nobody
 * @param changed by the number of witnesses before: whether the row changed between these and the next one
 * @returns by the same number, the person for the changes there; null: nobody
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
  /** Place of changes that no witness has spoken for. */
  let open: number | null = null;
  /** A witness that found no changes before it. */
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
