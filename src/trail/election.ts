/**
 * First key of the advisory lock that elects the capturing daemon of a trail. The second key is 0. The daemon
 * that holds the lock captures.
 */
export const ELECTION_LOCK = 0x77616c74; // "walt"
