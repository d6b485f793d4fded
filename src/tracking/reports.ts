/**
 * The schema of the event triggers' functions on the source. Not `waltrail`: a role of that name would create
 * its tables there.
 */
export const TRIGGER_SCHEMA = 'waltrail_source';

/**
 * Suffixes of the names of event triggers that report commands without row messages. The publication's name
 * comes first.
 */
export const REPORTING = ['rewrites', 'commands', 'drops'] as const;

/**
 * Prefix of their transactional messages. Any login may send such a message, so they are only claims
 * (DECISIONS 65).
 */
export const REPORT_PREFIX = 'waltrail.ddl';
