import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { WaltrailError } from '../../errors.js';

/** The parts of a request that say where it comes from. A trusted proxy may state the `protocol`. */
export interface SiteRequest {
  readonly protocol: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const NAME = 'waltrail_session';

/**
 * The address at which browsers open this Waltrail. It decides which pages may act, and how the session's
 * cookie is set.
 */
export class Site {
  /** Such as `https://audit.example.com`. Undefined if it is not configured. */
  readonly #origin: string | undefined;
  readonly #plainName: string;

  /** `instance` distinguishes this Waltrail from others on the same host, for example by its trail. */
  constructor(options: { readonly origin: string | undefined; readonly instance: string }) {
    this.#origin = options.origin;
    this.#plainName = `${NAME}_${createHash('sha256').update(options.instance).digest('hex').slice(0, 8)}`;
  }

  /** Whether the browser speaks HTTPS to this site. */
  isSecure({ protocol }: Pick<SiteRequest, 'protocol'>): boolean {
    return this.#origin === undefined ? protocol === 'https' : this.#origin.startsWith('https:');
  }

  /**
   * Returns the name of the session's cookie. It contains the instance, because cookies ignore ports. On
   * HTTPS it has a prefix with which no other host can set a cookie (RFC 6265bis, 4.1.3.2).
   */
  cookieName(request: Pick<SiteRequest, 'protocol'>): string {
    return this.isSecure(request) ? `__Host-${this.#plainName}` : this.#plainName;
  }

  /** Returns the session's secret from the Cookie header; undefined without one. */
  sessionSecret(request: SiteRequest): string | undefined {
    const { cookie } = request.headers;
    if (typeof cookie !== 'string') return undefined;
    const name = this.cookieName(request);
    for (const pair of cookie.split(';')) {
      const separator = pair.indexOf('=');
      if (pair.slice(0, separator).trim() === name) return pair.slice(separator + 1).trim() || undefined;
    }
    return undefined;
  }

  /**
   * Throws HTTP_CROSS_SITE unless the request comes from a page of this site. Browsers send the kind of site
   * that caused a request (Fetch Metadata) and its origin; older ones send only the origin. SameSite=Strict
   * already keeps the cookie from other sites. But it takes other ports and subdomains for the same site:
   * this check refuses those.
   */
  assertSameOrigin({ headers }: SiteRequest): void {
    const site = headers['sec-fetch-site'];
    const { origin, host } = headers;
    const isOwn =
      (site === undefined ? origin !== undefined : site === 'same-origin') &&
      (origin === undefined || this.#isOwn(origin, host));
    if (!isOwn)
      throw new WaltrailError('HTTP_CROSS_SITE', 'Another site may not act with the session of this one.');
  }

  #isOwn(origin: string | string[], host: string | string[] | undefined): boolean {
    if (typeof origin !== 'string' || !URL.canParse(origin)) return false;
    if (this.#origin !== undefined) return origin === this.#origin;
    // The owner of a domain can point its name to this server. The Host header then has that name. Nobody can
    // do that with an address or with localhost.
    const url = new URL(origin);
    return (
      url.host === host && (url.hostname === 'localhost' || isIP(url.hostname.replace(/[[\]]/g, '')) !== 0)
    );
  }
}
