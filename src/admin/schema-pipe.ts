import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import { WaltrailError } from '../errors.js';

/**
 * Validates the parameters that a route declares with `{ schema }`. Throws HTTP_REQUEST_INVALID for a text
 * that PostgreSQL cannot store. For other faults, throws HTTP_QUERY_INVALID or HTTP_BODY_INVALID with one
 * message for each.
 */
export class SchemaPipe extends StandardSchemaValidationPipe {
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const schema = metadata.schema;
    if (schema === undefined) return value;
    if (!isStorable(value))
      throw new WaltrailError(
        'HTTP_REQUEST_INVALID',
        'A text in the request has a character that PostgreSQL cannot store (NUL or half a surrogate pair).',
      );
    const result = await schema['~standard'].validate(value);
    if (result.issues === undefined) return result.value as T;
    const errors = result.issues.map(({ path, message }) => ({
      path: (path ?? [])
        .map((segment) => String(typeof segment === 'object' ? segment.key : segment))
        .join('.'),
      message,
    }));
    const detail = errors
      .map(({ path, message }) => sentence(path === '' ? message : `${path} ${message}`))
      .join(' ');
    throw new WaltrailError(metadata.type === 'body' ? 'HTTP_BODY_INVALID' : 'HTTP_QUERY_INVALID', detail, {
      details: { errors },
    });
  }
}

const sentence = (text: string): string => (/[.?]$/.test(text) ? text : `${text}.`);

/**
 * Whether PostgreSQL can store every text in a value. text and jsonb can hold neither NUL nor half a
 * surrogate pair. Not recursive: a body of 64 KiB has room for more levels than the stack has frames.
 */
function isStorable(value: unknown): boolean {
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string' && /\0|\p{Surrogate}/u.test(next)) return false;
    if (typeof next === 'object' && next !== null)
      for (const member of Object.values(next)) waiting.push(member);
  }
  return true;
}
