import {
  Injectable,
  SetMetadata,
  type CanActivate,
  type CustomDecorator,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { WaltrailError } from '../../errors.js';
import type { AccessAction, Delivered } from './access.js';
import { Authenticator } from './authenticator.js';
import { TOKEN_ROLES, type Principal, type TokenRole } from './tokens.js';

const RULE = Symbol('waltrail.rule');

interface Rule {
  /** The lowest role that may call the route. `open`: no token is needed. */
  readonly role: TokenRole | 'open';
  /** The action that is recorded for a successful use. Undefined: such a use is not recorded. */
  readonly record?: AccessAction;
  /** Whether the page calls the route automatically. Such a use does not keep a session from ending. */
  readonly polled?: boolean;
}

/**
 * Declares who may call a route and what the access record says about it. A route without this decorator is
 * closed to everybody.
 */
export const Allow = (
  role: Rule['role'],
  options: Pick<Rule, 'record' | 'polled'> = {},
): CustomDecorator<symbol> => SetMetadata<symbol, Rule>(RULE, { role, ...options });

/** A request that has passed the guard: its principal, and what the access record says about it. */
export interface GuardedRequest extends FastifyRequest {
  principal?: Principal;
  accessAction?: AccessAction;
  /** What was delivered, if it is not all that was requested. */
  delivered?: Delivered;
}

/**
 * Checks every request. It is the only guard, and it guards every route of every controller. Throws
 * HTTP_TOKEN_MISSING, HTTP_TOKEN_INVALID, HTTP_CROSS_SITE, HTTP_FORBIDDEN.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  readonly #reflector: Reflector;
  readonly #authenticator: Authenticator;

  constructor(reflector: Reflector, authenticator: Authenticator) {
    this.#reflector = reflector;
    this.#authenticator = authenticator;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const rule = this.#reflector.getAllAndOverride<Rule | undefined>(RULE, [
      context.getHandler(),
      context.getClass(),
    ]);
    const request = context.switchToHttp().getRequest<GuardedRequest>();
    if (rule === undefined)
      throw new WaltrailError('HTTP_FORBIDDEN', 'This route does not declare who may call it.');
    if (rule.record !== undefined) request.accessAction = rule.record;
    if (rule.role === 'open') return true;
    request.principal = await this.#authenticator.authenticate(request, {
      byPerson: rule.polled !== true,
    });
    if (!mayAct(request.principal, rule.role)) {
      throw new WaltrailError(
        'HTTP_FORBIDDEN',
        `This needs the role ${rule.role}; the token's role is ${request.principal.role}.`,
      );
    }
    return true;
  }
}

const mayAct = (principal: Principal, role: TokenRole): boolean =>
  TOKEN_ROLES.indexOf(principal.role) >= TOKEN_ROLES.indexOf(role);

/**
 * Returns the principal that the guard found. Only for handlers of routes that are not open. Throws
 * HTTP_TOKEN_MISSING.
 */
export function principalOf(request: GuardedRequest): Principal {
  if (request.principal === undefined)
    throw new WaltrailError('HTTP_TOKEN_MISSING', 'This route needs a token.');
  return request.principal;
}
