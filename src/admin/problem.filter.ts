import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { isWaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { serverMessage } from '../pg/server-message.js';
import type { GuardedRequest } from './auth/guard.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';

/**
 * Turns everything that is thrown into a problem document. It is the only error filter. A 500 is logged once,
 * with its id.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<GuardedRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const document = toProblem(error);
    if (document.status >= 500) {
      // Logs the pattern of the route instead of the URL: a URL holds filters, which are values.
      this.#log.error(
        {
          id: document.instance,
          code: document.code,
          route: `${request.method} ${request.routeOptions?.url ?? ''}`,
          cause: loggable(error),
        },
        'A request failed.',
      );
    }
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    if (document.status === 401) void reply.header('WWW-Authenticate', 'Bearer realm="waltrail"');
    const retryAfter = isWaltrailError(error) ? error.details['retryAfterSeconds'] : undefined;
    if (typeof retryAfter === 'number') void reply.header('Retry-After', String(retryAfter));
    else if (document.status === 503) void reply.header('Retry-After', '5');
    void reply.code(document.status).header('Content-Type', PROBLEM_TYPE).send(JSON.stringify(document));
  }
}

/**
 * Returns what the log may say about an error. Detail and context of PostgreSQL's errors quote values. The
 * message may quote values, too: it is kept only for errors that cannot.
 */
function loggable(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error };
  const frames = error.stack?.split('\n').filter((line) => /^ +at /.test(line)) ?? [];
  const cause = error.cause === undefined ? {} : { cause: loggable(error.cause) };
  const remedy = isWaltrailError(error) ? { code: error.code, remedy: error.remedy } : {};
  if (!('severity' in error))
    return { type: error.name, message: error.message, ...remedy, frames, ...cause };
  const { code, schema, table, constraint, routine } = error as Error & Record<string, unknown>;
  const message = serverMessage(error);
  return { type: error.name, sqlState: code, message, schema, table, constraint, routine, frames, ...cause };
}
