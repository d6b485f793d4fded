import type { TrailLogin } from '../../src/trail/roles.js';
import type { TestDatabase } from './database.ts';

/** Real logins of the roles of a trail, one for each. */
export interface TrailLogins extends AsyncDisposable {
  readonly urls: Readonly<Record<TrailLogin, string>>;
  readonly names: Readonly<Record<TrailLogin, string>>;
}

const LOGINS: readonly TrailLogin[] = ['writer', 'reader', 'api', 'keeper'];

/**
 * Creates a login for each role, as docs/install.md describes. Logins belong to the server, so their names
 * contain that of the database.
 */
export async function makeLogins(trail: TestDatabase): Promise<TrailLogins> {
  const names = byLogin((login) => `${login}_${trail.name}`);
  for (const login of LOGINS)
    await trail.query(`create role ${names[login]} login password 'p' in role waltrail_${login}`);
  await trail.query(`create schema if not exists bullmq authorization ${names.api}`);
  return {
    names,
    urls: byLogin((login) => {
      const url = new URL(trail.url);
      url.username = names[login];
      url.password = 'p';
      return url.href;
    }),
    [Symbol.asyncDispose]: async () => {
      for (const login of LOGINS) {
        await trail.query(`drop owned by ${names[login]} cascade`);
        await trail.query(`drop role ${names[login]}`);
      }
    },
  };
}

const byLogin = (of: (login: TrailLogin) => string): Readonly<Record<TrailLogin, string>> => ({
  writer: of('writer'),
  reader: of('reader'),
  api: of('api'),
  keeper: of('keeper'),
});
