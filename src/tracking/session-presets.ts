import type { SessionSetting } from './rules.js';

type PresetSetting = Omit<SessionSetting, 'as'>;

/**
 * The setting with the name of the connected program. A few applications write the key of a person into it.
 */
export const APPLICATION_NAME = 'application_name';

/**
 * Settings of a session in which products state on whose behalf they work, by preset. The first setting that
 * names somebody counts. PostgREST, Hasura, PostGraphile and django-pghistory set them for one transaction
 * only, so no pooled connection keeps them.
 *
 * - `postgrest`, `supabase`: the claims of the token as one JSON object in `request.jwt.claims`, with the
 *   user in `sub` (https://docs.postgrest.org/en/stable/references/transactions.html). PostgREST before
 *   version 9, and version 9 to 11 with `db-use-legacy-gucs`, has one setting for each claim. Supabase's
 *   function `auth.uid()` reads both (supabase/auth, migrations/tenant/20211202183645_update_auth_uid).
 * - `hasura`: the session variables of the request as one JSON object in `hasura.user`, set by `set local`
 *   (https://hasura.io/docs/latest/guides/auditing-tables/). Their names are in lower case.
 * - `postgraphile`: each claim of the token in a setting `jwt.claims.…`; the examples have `user_id`
 *   (https://postgraphile.org/postgraphile/current/jwt-guide). From version 5 on the application sets
 *   `pgSettings` itself, and the guide keeps these names.
 * - `pgmemento`: a JSON object in `pgmemento.session_info`, with members that the application chooses. The
 *   documentation has the user's name in `client_user`, set for the session
 *   (https://github.com/pgMemento/pgMemento/wiki/User-defined-session-infos).
 * - `django`: django-pghistory sets `pghistory.context_metadata` before each statement, by `set_config(…,
 *   true)`. Its middleware has the primary key of the user in `user`
 *   (https://django-pghistory.readthedocs.io/en/latest/context/).
 * - `jdbc`: `Connection.setClientInfo("ApplicationName", …)`, which pgjdbc turns into `set application_name`
 *   (https://jdbc.postgresql.org/documentation/use/). The connection keeps it. Its default is the name of the
 *   driver.
 */
export const SESSION_PRESETS = {
  postgrest: [claim('request.jwt.claims', 'sub'), plain('request.jwt.claim.sub')],
  supabase: [claim('request.jwt.claims', 'sub'), plain('request.jwt.claim.sub')],
  hasura: [claim('hasura.user', 'x-hasura-user-id')],
  postgraphile: [plain('jwt.claims.user_id'), plain('jwt.claims.sub')],
  pgmemento: [claim('pgmemento.session_info', 'client_user')],
  django: [claim('pghistory.context_metadata', 'user')],
  jdbc: [{ setting: APPLICATION_NAME, member: null, onlyKnown: true }],
} as const satisfies Readonly<Record<string, readonly PresetSetting[]>>;

/** The preset that makes the login itself the modifier if no setting names one. */
export const DATABASE_USER = 'session_user';

export type SessionPreset = keyof typeof SESSION_PRESETS;

function plain(setting: string): PresetSetting {
  return { setting, member: null, onlyKnown: false };
}

function claim(setting: string, member: string): PresetSetting {
  return { setting, member, onlyKnown: false };
}
