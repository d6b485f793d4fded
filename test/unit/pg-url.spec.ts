import { describe, expect, test } from '@jest/globals';
import { describeUrl } from '../../src/pg/connect-error.js';
import { urlProblem } from '../../src/pg/url.js';

describe('the URL of a database', () => {
  test.each([
    'postgres://app:se%2Fcret%40@db/shop',
    'postgresql://app:a@b@[::1]:5433/shop?sslmode=verify-full&sslrootcert=/etc/ca.crt',
    'postgres://db',
  ])('%s is accepted', (url) => {
    expect(urlProblem(url)).toBeUndefined();
  });

  // Each of these is a valid URL for the parser: the first part of the password is its port or host.
  test.each([
    'postgres://app:12/hunter@db/shop',
    'postgres://app:12?hunter@db/shop',
    'postgres://app:12#hunter@db/shop',
    'postgres://app:se@12/hunter@db/shop',
    'postgres://app:se@12?x=hunter@db/shop',
  ])('%s is refused, and no part of its password is shown', (url) => {
    expect(URL.canParse(url)).toBe(true);
    expect(urlProblem(url)).toMatch(/^must be a postgres:\/\/ URL with one host, .* % codes/);
    expect(describeUrl(url)).toBe('the given URL');
  });

  test.each(['postgres://app:pa#ss@db/shop', 'postgres://a:1,b:2/shop', 'postgres://db:99999/shop'])(
    '%s is refused with what a URL has to be',
    (url) => {
      expect(urlProblem(url)).toContain('one host, a port up to 65535');
    },
  );

  test('of another kind is refused', () => {
    expect(urlProblem('mysql://app:hunter@db/shop')).toBe('must be a postgres:// URL');
  });
});
