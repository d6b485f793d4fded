/**
 * First key of the advisory lock that elects the capturing daemon of a trail; the second is 0. Whoever holds
 * it captures.
 */
export const ELECTION_LOCK = 0x77616c74; // "walt"
