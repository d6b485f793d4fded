import { nounOf } from './table-index.js';

/** The class that frameworks make of a table: `AgentBot` of `agent_bots`. */
export const classOf = (table: string): string =>
  nounOf(table)
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
