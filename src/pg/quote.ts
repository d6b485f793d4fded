import pg from 'pg';

/** `name` as a quoted SQL identifier. */
export const quoteIdentifier = (name: string): string => pg.escapeIdentifier(name);

/** `text` as a quoted SQL literal, for statements that take no parameters (COPY, replication commands). */
export const quoteLiteral = (text: string): string => pg.escapeLiteral(text);

/** `"schema"."table"`. */
export const quoteTable = (schema: string, table: string): string =>
  `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
