import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../../errors.js';
import { FailedAttempts } from './attempts.js';
import { closeSession, findSession, openSession, type OpenedSession } from './sessions.js';
import type { Site, SiteRequest } from './site.js';
import { findToken, noteTokenUse, proofOf, type Principal } from './tokens.js';

/**
 * The parts of a request that identify its principal. Header names are in lower case, as node:http gives
 * them.
 */
export interface Credentials extends SiteRequest {
  readonly method: string;
  /** Address of the client. Behind a trusted proxy, the address that the proxy reports. */
  readonly ip: string;
}

/**
 * Time for which a found principal is cached. A revoked token stops working within this time, in every
 * process. Afterwards the secret is looked up again, but no longer as a possible guess.
 */
const CACHE_MS = 2_000;
const CACHE_ENTRIES = 1_000;
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Finds the principal of a request from its bearer token or, without one, from its session cookie. */
export class Authenticator {
  readonly #pool: pg.Pool;
  readonly #site: Site;
  readonly #sessionIdleMinutes: number;
  readonly #attempts = new FailedAttempts();
  readonly #cache = new Map<string, { readonly principal: Principal; readonly until: number }>();
  /** Lookups in progress that renew a principal of the cache. */
  readonly #renewing = new Map<string, Promise<Principal | undefined>>();

  constructor(options: {
    readonly pool: pg.Pool;
    readonly site: Site;
    /** A session that is not used for this time ends. */
    readonly sessionIdleMinutes: number;
  }) {
    this.#pool = options.pool;
    this.#site = options.site;
    this.#sessionIdleMinutes = options.sessionIdleMinutes;
  }

  /**
   * Returns the principal of a request. Throws HTTP_TOKEN_MISSING, HTTP_TOKEN_INVALID, after many wrong ones
   * HTTP_TOO_MANY_REQUESTS or, for a cookie that another site made the browser send, HTTP_CROSS_SITE. With a
   * wrong Authorization header, the cookie is not tried: the caller would act as a principal that it does not
   * expect. `byPerson`: a person caused the request, so it keeps the session from ending.
   */
  async authenticate(request: Credentials, { byPerson }: { readonly byPerson: boolean }): Promise<Principal> {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const bearer = bearerToken(authorization);
      if (bearer === undefined)
        throw new WaltrailError('HTTP_TOKEN_MISSING', 'The Authorization header holds no bearer token.');
      const principal = await this.#cached(
        `token ${keyOf(bearer)}`,
        () => this.#findToken(bearer),
        (find) => this.#attempts.lookUp(request.ip, find),
      );
      if (principal === undefined)
        throw new WaltrailError('HTTP_TOKEN_INVALID', 'The API token is unknown, revoked or expired.');
      return principal;
    }
    const cookie = this.#site.sessionSecret(request);
    if (cookie === undefined) throw new WaltrailError('HTTP_TOKEN_MISSING', 'This route needs a token.');
    if (!SAFE_METHODS.has(request.method)) this.#site.assertSameOrigin(request);
    // Cached separately. Otherwise a request that the page sends automatically would fill the cache, and a
    // person's use would not reach the trail.
    const principal = await this.#cached(
      `${byPerson ? 'used' : 'open'} session ${keyOf(cookie)}`,
      () => findSession(this.#pool, { secret: cookie, byPerson }),
      // Not counted as a failed attempt: after a session has ended, each of its tabs asks once more.
      (find) => this.#attempts.fewAtOnce(find),
    );
    if (principal === undefined) throw new WaltrailError('HTTP_TOKEN_INVALID', 'The session has ended.');
    return principal;
  }

  /**
   * Whether a request that was authenticated as `principal` still would be, with the same rights. While the
   * trail does not answer, nothing is known to have changed.
   */
  async isStill(request: Credentials, principal: Principal): Promise<boolean> {
    try {
      const { tokenId, role, tenant } = await this.authenticate(request, { byPerson: false });
      return tokenId === principal.tokenId && role === principal.role && tenant === principal.tenant;
    } catch (error) {
      return !isWaltrailError(error) || error.status === undefined;
    }
  }

  /**
   * Opens a session. Throws HTTP_SIGN_IN_REFUSED, HTTP_TOO_MANY_REQUESTS, or HTTP_CROSS_SITE: another site
   * must not sign a browser in as a principal of its choice.
   */
  async signIn(request: Credentials, tokenOrCode: string): Promise<OpenedSession> {
    if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined)
      this.#site.assertSameOrigin(request);
    const idleMinutes = this.#sessionIdleMinutes;
    const session = await this.#attempts.lookUp(request.ip, () =>
      openSession(this.#pool, { tokenOrCode, idleMinutes }),
    );
    if (session === undefined) {
      throw new WaltrailError(
        'HTTP_SIGN_IN_REFUSED',
        'The token or sign-in code is unknown, expired, revoked or already used.',
      );
    }
    return session;
  }

  async signOut(request: Credentials): Promise<void> {
    const cookie = this.#site.sessionSecret(request);
    if (cookie === undefined) return;
    for (const kind of ['used', 'open']) this.#cache.delete(`${kind} session ${keyOf(cookie)}`);
    await closeSession(this.#pool, cookie);
  }

  async #findToken(secret: string): Promise<Principal | undefined> {
    const principal = await findToken(this.#pool, secret);
    // Only the list of tokens shows the last use. So a request neither waits for the update nor fails with
    // it.
    if (principal !== undefined) noteTokenUse(this.#pool, secret).catch(() => undefined);
    return principal;
  }

  /**
   * Returns a principal from the cache, or finds it. Only principals that were found are cached, so a guesser
   * cannot fill the cache, and a new token works at once. A secret that was right before is not a guess. It
   * is looked up directly instead of with `lookUp`, where it would wait for guesses, and only once for
   * simultaneous requests.
   */
  async #cached(
    key: string,
    find: () => Promise<Principal | undefined>,
    lookUp: (find: () => Promise<Principal | undefined>) => Promise<Principal | undefined>,
  ): Promise<Principal | undefined> {
    const known = this.#cache.get(key);
    if (known === undefined) return this.#kept(key, await lookUp(find));
    if (known.until > performance.now()) return known.principal;
    let renewing = this.#renewing.get(key);
    if (renewing === undefined) {
      renewing = find()
        .then((principal) => this.#kept(key, principal))
        .finally(() => this.#renewing.delete(key));
      this.#renewing.set(key, renewing);
    }
    return renewing;
  }

  #kept(key: string, principal: Principal | undefined): Principal | undefined {
    this.#cache.delete(key);
    if (principal === undefined) return undefined;
    if (this.#cache.size >= CACHE_ENTRIES) {
      const [oldest] = this.#cache.keys();
      this.#cache.delete(oldest!);
    }
    this.#cache.set(key, { principal, until: performance.now() + CACHE_MS });
    return principal;
  }
}

const keyOf = (secret: string): string => proofOf(secret).toString('base64');

function bearerToken(authorization: string | string[] | undefined): string | undefined {
  if (typeof authorization !== 'string') return undefined;
  // RFC 9110, 11.1: the scheme is case-insensitive.
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}
