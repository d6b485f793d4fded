import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Answer } from '../../api/answers.js';
import { SignInBody } from '../../api/requests.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Authenticator } from '../auth/authenticator.js';
import { Describe } from './describe.js';
import { FACTS } from './facts.js';
import type { DaemonFacts } from './facts.js';
import { Site } from '../auth/site.js';
import type { Principal } from '../auth/tokens.js';

const DAY_MS = 86_400_000;

/** Signs in to the page: exchanges a token or a sign-in code for an HttpOnly cookie. */
@Controller('session')
export class SessionController {
  readonly #authenticator: Authenticator;
  readonly #site: Site;
  readonly #facts: DaemonFacts;

  constructor(authenticator: Authenticator, site: Site, @Inject(FACTS) facts: DaemonFacts) {
    this.#authenticator = authenticator;
    this.#site = site;
    this.#facts = facts;
  }

  @Post()
  @HttpCode(200)
  @Allow('open', { record: 'sign_in' })
  @Describe({
    summary: 'Sign in: sets the session cookie',
    answer: 'Session',
    open: true,
    errors: [400, 401, 403, 415, 429, 503],
  })
  async signIn(
    @Req() request: GuardedRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: SignInBody }) body: SignInBody,
  ): Promise<Answer<'Session'>> {
    const session = await this.#authenticator.signIn(request, body.token);
    request.principal = session.principal;
    const maxAge = Math.floor((session.expiresAt.getTime() - Date.now()) / 1000);
    void reply.header('Set-Cookie', this.#cookie(request, session.secret, maxAge));
    return this.#view(session.principal);
  }

  @Get()
  @Allow('viewer', { polled: true })
  @Describe({ summary: 'Who is signed in', answer: 'Session', errors: [401, 503] })
  session(@Req() request: GuardedRequest): Answer<'Session'> {
    return this.#view(principalOf(request));
  }

  @Delete()
  @HttpCode(204)
  @Allow('viewer', { record: 'sign_out' })
  @Describe({
    summary: 'Sign out: ends the session and removes the cookie',
    answer: null,
    errors: [401, 403, 503],
  })
  async signOut(
    @Req() request: GuardedRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    await this.#authenticator.signOut(request);
    void reply.header('Set-Cookie', this.#cookie(request, '', 0));
  }

  #view(principal: Principal): Answer<'Session'> {
    const { maxRangeMs, maxRangeDays, timezone, source } = this.#facts;
    const { name, role, tenant } = principal;
    return {
      name,
      role,
      tenant,
      maxRangeDays: maxRangeMs / DAY_MS,
      calendarDays: maxRangeDays !== null,
      timezone,
      source,
    };
  }

  #cookie(request: GuardedRequest, value: string, maxAgeSeconds: number): string {
    const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}`;
    const secure = this.#site.isSecure(request) ? '; Secure' : '';
    return `${this.#site.cookieName(request)}=${value}; ${attributes}${secure}`;
  }
}
