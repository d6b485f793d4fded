const POSTGRES = /^postgres(?:ql)?:\/\//;
const AFTER_HOST = /^[a-z]+:\/\/[^/?#]*[/?#](.*)$/s;

/**
 * Returns what is wrong with the URL of a PostgreSQL database, as the end of a sentence without any part of
 * the URL. Returns undefined if nothing is wrong.
 *
 * An `@` after the host belongs to a user or password that holds a `/`, `?` or `#`. Such a URL can be valid
 * all the same: `postgres://app:12/rest@db/shop` has the host `app` and the port 12. It leads to another
 * server, and port and path are parts of the password.
 */
export function urlProblem(url: string): string | undefined {
  if (!POSTGRES.test(url)) return 'must be a postgres:// URL';
  if (URL.canParse(url) && AFTER_HOST.exec(url)?.[1]?.includes('@') !== true) return undefined;
  return 'must be a postgres:// URL with one host, a port up to 65535, and % codes for special characters, such as %40 for @, %2F for / and %23 for #';
}
