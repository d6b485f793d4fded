import { changeText } from '../../change-text.ts';
import type { Entry } from '../api-types.ts';

/** Returns the differences within the values of a column, one line for each. */
export const changeTexts = (entry: Entry, column: string): string[] =>
  (entry.changes ?? []).filter((change) => change.column === column).map(changeText);
