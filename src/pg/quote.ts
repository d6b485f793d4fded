import pg from 'pg';

/** Returns `name` as a quoted SQL identifier. */
export const quoteIdentifier = (name: string): string => pg.escapeIdentifier(name);

/**
 * Returns `text` as a quoted SQL literal, for statements that take no parameters (COPY, replication
 * commands).
 */
export const quoteLiteral = (text: string): string => pg.escapeLiteral(text);

/** Returns `"schema"."table"`. */
export const quoteTable = (schema: string, table: string): string =>
  `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
