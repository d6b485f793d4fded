import type pg from 'pg';

const known = new WeakMap<pg.ClientBase, Promise<number>>();

/**
 * Returns `server_version_num`: 180004 is version 18.4. It is queried once for each connection, and selects
 * statements that only some versions support.
 */
export function serverVersion(client: pg.ClientBase): Promise<number> {
  let version = known.get(client);
  if (version === undefined) {
    version = client
      .query<{ server_version_num: string }>('show server_version_num')
      .then(({ rows }) => Number(rows[0]!.server_version_num));
    known.set(client, version);
  }
  return version;
}
