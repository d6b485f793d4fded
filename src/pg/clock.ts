/**
 * The start of PostgreSQL's clock (2000-01-01 UTC) in milliseconds since 1970. PostgreSQL counts microseconds
 * from it.
 */
export const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
