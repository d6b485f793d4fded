/**
 * PostgreSQL counts time in microseconds since 2000-01-01 UTC; this is that moment in milliseconds since
 * 1970.
 */
export const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
