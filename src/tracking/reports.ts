/**
 * Where the functions of event triggers are on the source. Not `waltrail`: a role of that name would make its
 * tables there.
 */
export const TRIGGER_SCHEMA = 'waltrail_source';

/**
 * Ends of the names of the event triggers that report commands of which no row message tells, behind the
 * publication's name.
 */
export const REPORTING = ['rewrites', 'commands', 'drops'] as const;

/** Prefix of their transactional messages. Any login may emit one, so they are claims (DECISIONS 65). */
export const REPORT_PREFIX = 'waltrail.ddl';
