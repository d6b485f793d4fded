import { z } from 'zod';
import type { ModifiersRule, SessionRule, SessionSetting } from './rules.js';
import { sentence, text, word } from './schema-parts.js';
import { APPLICATION_NAME, DATABASE_USER, SESSION_PRESETS, type SessionPreset } from './session-presets.js';

/* The key `session`: its shape in the file, and its form in the configuration. */

/** The trigger reads each setting at each statement, so the number is limited. */
const MAX_SETTINGS = 16;

/**
 * Names of settings that every role may read. An application's own setting has a dot in its name. Some of
 * PostgreSQL's settings are readable only to some roles, and reading one would make the statement fail.
 */
const SETTING = /^(?:application_name|[a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)+)$/i;

const PRESETS = [...(Object.keys(SESSION_PRESETS) as SessionPreset[]), DATABASE_USER] as const;

const SettingFile = z.strictObject({
  setting: text('the name of a setting, such as app.user_id')
    .max(63, 'is longer than 63 characters')
    .regex(
      SETTING,
      'must be application_name, or a setting of the application with a dot in its name, such as app.user_id',
    )
    .describe('A setting that the application sets for a session or a transaction, such as app.user_id.'),
  member: text('the name of a member')
    .min(1, 'must be the name of a member, not empty')
    .max(63, 'is longer than 63 characters')
    .optional()
    .describe('The member that holds the key, if the value of the setting is a JSON object.'),
  as: word('a name of a table of modifiers')
    .optional()
    .describe(
      'The table of modifiers that the key belongs to: a name under modifiers. Without it: the first.',
    ),
});

const ItemFile = z.union([z.enum(PRESETS), SettingFile], {
  error: sentence(`must be one of ${PRESETS.join(', ')}, or { setting: app.user_id, as: … }`),
});

type ItemFile = z.output<typeof ItemFile>;

export const SessionFile = z
  .array(ItemFile, { error: sentence('must be a list of presets and settings') })
  .min(1, 'names no setting')
  .refine((items) => new Set(settingsOf(items).map(({ setting }) => setting)).size <= MAX_SETTINGS, {
    error: `names more than ${MAX_SETTINGS} settings`,
  })
  .describe(
    'Settings of the session that name who makes changes (the rung session of attribution): presets and { setting: app.user_id, as: agents }. A trigger reports them; waltrail apply creates it on each tracked table. The first setting that names somebody counts. With session_user, the login itself counts if none does.',
  );

export type SessionFile = z.output<typeof SessionFile>;

/** Converts `session` of the file; null: no trigger is asked for. */
export function toSession(
  file: SessionFile | undefined,
  modifiers: readonly ModifiersRule[],
): SessionRule | null {
  if (file === undefined) return null;
  return { settings: settingsOf(file, modifiers), databaseUser: file.includes(DATABASE_USER) };
}

function settingsOf(
  items: readonly ItemFile[],
  modifiers: readonly ModifiersRule[] = [],
): readonly SessionSetting[] {
  return items.flatMap((item): readonly SessionSetting[] => {
    if (typeof item === 'object')
      return [
        {
          setting: item.setting,
          member: item.member ?? null,
          onlyKnown: item.setting.toLowerCase() === APPLICATION_NAME,
          as: Math.max(
            0,
            modifiers.findIndex(({ called }) => called !== null && called === item.as),
          ),
        },
      ];
    return item === DATABASE_USER ? [] : SESSION_PRESETS[item].map((setting) => ({ ...setting, as: 0 }));
  });
}
