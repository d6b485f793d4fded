import { nounOf } from './table-index.js';

/** Returns the class that frameworks derive from a table: `AgentBot` from `agent_bots`. */
export const classOf = (table: string): string =>
  nounOf(table)
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
