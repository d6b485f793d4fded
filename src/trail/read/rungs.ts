import { RUNG, type RungLetter } from '../../pipeline/ports.js';
import type { Rung } from './entry.js';

/** Words for the stored letters. */
export const RUNGS: Readonly<Record<RungLetter, Rung>> = {
  [RUNG.message]: 'message',
  [RUNG.witness]: 'witness',
  [RUNG.column]: 'column',
  [RUNG.session]: 'session',
  [RUNG.nobody]: 'unattributed',
  [RUNG.own]: 'waltrail',
  [RUNG.baseline]: 'baseline',
};
