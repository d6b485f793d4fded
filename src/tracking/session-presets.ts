import type { SessionSetting } from './rules.js';

type PresetSetting = Omit<SessionSetting, 'as'>;

/**
 * Settings of a session by which products tell PostgreSQL on whose behalf they work, by the name of the
 * preset. Of several the first that names somebody counts.
 *
 * - `postgrest`, `supabase`: the claims of the token as one JSON object in `request.jwt.claims`; PostgREST
 *   before version 9, and with `db-use-legacy-gucs`, each in a setting of its own
 *   (https://docs.postgrest.org/en/stable/references/transactions.html; the function `auth.uid()` of Supabase
 *   reads both).
 * - `hasura`: the session variables as one JSON object in `hasura.user`
 *   (https://hasura.io/docs/latest/guides/auditing-tables/).
 * - `postgraphile`: each claim of the token in a setting `jwt.claims.…`
 *   (https://postgraphile.org/postgraphile/current/jwt-guide); `user_id` is the usual one.
 * - `pgmemento`: a JSON object in `pgmemento.session_info`, in which the examples of pgMemento call the user
 *   `client_user` (https://github.com/pgMemento/pgMemento/wiki).
 * - `django`: what django-pghistory has in `pghistory.context_metadata`, in which its middleware calls the
 *   user `user` (https://django-pghistory.readthedocs.io/en/latest/context/).
 * - `jdbc`: `Connection.setClientInfo("ApplicationName", …)`, which pgjdbc puts into `application_name`
 *   (https://jdbc.postgresql.org/documentation/use/). Its default is the name of the driver, and nobody's.
 */
export const SESSION_PRESETS = {
  postgrest: [claim('request.jwt.claims', 'sub'), plain('request.jwt.claim.sub')],
  supabase: [claim('request.jwt.claims', 'sub'), plain('request.jwt.claim.sub')],
  hasura: [claim('hasura.user', 'x-hasura-user-id')],
  postgraphile: [plain('jwt.claims.user_id'), plain('jwt.claims.sub')],
  pgmemento: [claim('pgmemento.session_info', 'client_user')],
  django: [claim('pghistory.context_metadata', 'user')],
  jdbc: [{ setting: 'application_name', member: null, nobody: ['PostgreSQL JDBC Driver'] }],
} as const satisfies Readonly<Record<string, readonly PresetSetting[]>>;

/** The preset by which the login itself is the modifier, where no setting names one. */
export const DATABASE_USER = 'session_user';

export type SessionPreset = keyof typeof SESSION_PRESETS;

function plain(setting: string): PresetSetting {
  return { setting, member: null, nobody: [] };
}

function claim(setting: string, member: string): PresetSetting {
  return { setting, member, nobody: [] };
}
