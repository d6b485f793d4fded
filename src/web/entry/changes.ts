import { changeText } from '../../change-text.ts';
import type { Entry } from '../api-types.ts';

/** Returns what differs within the values of a column, a line each. */
export const changeTexts = (entry: Entry, column: string): string[] =>
  (entry.changes ?? []).filter((change) => change.column === column).map(changeText);
