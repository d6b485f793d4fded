import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiSecurity } from '@nestjs/swagger';
import type { AnswerName } from '../../api/answers.js';

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'A parameter, the cursor or the body is wrong; "errors" names each fault',
  401: 'No token, or one that is unknown, revoked or expired',
  403: 'The role or the tenant of the token does not allow this',
  404: 'Not found',
  409: 'Not possible in this state',
  410: 'Gone',
  413: 'The body is too large',
  415: 'The body is not application/json',
  416: 'The file has none of these bytes; Content-Range says how many it has',
  422: 'The range is longer than reports.max_range',
  429: 'Too many requests',
  503: 'The trail database does not answer',
};

/**
 * Describes a route for the OpenAPI document. `answer` is the name of a schema, a media type for an answer
 * that is not JSON, or null for a 204. The answer for every status in `errors` is a problem document.
 */
export function Describe(options: {
  readonly summary: string;
  readonly answer: AnswerName | `${string}/${string}` | null;
  readonly status?: number;
  readonly errors?: readonly number[];
  readonly open?: boolean;
}): MethodDecorator {
  const { answer, errors = [] } = options;
  return applyDecorators(
    ApiOperation({ summary: options.summary, ...(options.open ? { security: [] } : {}) }),
    ...(options.open ? [] : [ApiSecurity('bearer'), ApiSecurity('cookie')]),
    success(answer, options.status),
    ...errors.map((status) =>
      ApiResponse({
        status,
        description: PROBLEMS[status] ?? 'Failed',
        content: { 'application/problem+json': { schema: reference('Problem') } },
      }),
    ),
  );
}

function success(answer: string | null, status = answer === null ? 204 : 200): MethodDecorator {
  if (answer === null) return ApiResponse({ status, description: 'Done' });
  if (answer.includes('/')) {
    const media = ApiResponse({
      status,
      description: answer,
      content: { [answer]: { schema: { type: 'string' } } },
    });
    return applyDecorators(ApiProduces(answer), media);
  }
  return ApiResponse({
    status,
    description: answer,
    content: { 'application/json': { schema: reference(answer) } },
  });
}

const reference = (name: string): { $ref: string } => ({ $ref: `#/components/schemas/${name}` });
