import type { RoleLock } from './role-lock.js';

/**
 * The lock that elects the capturing daemon of a trail. The daemon that holds the lock captures. Only
 * sessions of logins that may write the trail count as holders.
 */
export const ELECTION_LOCK: RoleLock = {
  first: 0x77616c74, // "walt"
  second: 0,
  role: 'waltrail_writer',
  table: 'trail.checkpoint',
};
