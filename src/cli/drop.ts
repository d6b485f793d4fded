import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import { serverSays } from '../pg/server-message.js';
import { runSteps } from '../tracking/apply.js';
import { readCatalog } from '../tracking/catalog.js';
import { planDrop, type DropPlan } from '../tracking/drop-plan.js';
import type { PlanStep } from '../tracking/findings.js';
import { readGrantedRole, type GrantedRole } from '../tracking/grants.js';
import { defineCommand, usageError, type Command } from './command.js';
import { withSource } from './source-plan.js';

/**
 * `waltrail drop`: prints what it would remove from the source, and removes it with `--yes`. Exits with 1 if
 * a problem forbids it.
 */
export const drop: Command = defineCommand({
  usage: '[--yes] [--role NAME]',
  help: `Removes from the source what apply and capture created there: publication, event triggers, slot. Tables get back their
former replica identity. The trail stays as it is. Without --yes the command only prints what it would do.

  --yes         do it, in one transaction; then drop the slot
  --role NAME   also revoke all rights of a role in this database, and drop the role
`,
  options: { yes: { type: 'boolean' }, role: { type: 'string' } },
  json: true,
  run: ({ values, settings, say, answer }) =>
    withSource(settings(), async ({ config, client }) => {
      const role = await roleOf(client, values.role);
      const plan = planDrop({ config, catalog: await readCatalog(client), role });
      const { steps, slot, problems } = plan;
      say(dropText(plan));
      const end = (outcome: Outcome, code: number): number => {
        answer({ text: ENDINGS[outcome], data: { outcome, ...plan } });
        return code;
      };
      if (problems.length > 0) return end('refused', 1);
      if (steps.length === 0 && slot === null) return end('nothing to do', 0);
      if (values.yes !== true) return end('planned', 0);
      if (steps.length > 0) await runSteps(client, steps);
      if (slot !== null) await dropSlot(client, slot);
      return end('dropped', 0);
    }),
});

type Outcome = 'refused' | 'nothing to do' | 'planned' | 'dropped';

const ENDINGS: Readonly<Record<Outcome, string>> = {
  refused: '',
  'nothing to do': '',
  planned: 'Nothing was changed yet. To do it, run: waltrail drop --yes\n',
  dropped: 'Dropped. The trail is unchanged and can still be read.\n',
};

async function roleOf(client: pg.Client, name: string | undefined): Promise<GrantedRole | null> {
  if (name === undefined) return null;
  const role = await readGrantedRole(client, name);
  if (role === undefined) throw usageError(`waltrail drop --role: the source has no role ${name}.`);
  const { rows } = await client.query<{ role: string }>(/* sql */ `select session_user::text as role`);
  if (rows[0]!.role === name)
    throw usageError(
      `waltrail drop --role: the command runs as ${name} itself. Name the login of a superuser in source.url.`,
    );
  return role;
}

/** Drops the slot, after everything else because a dropped slot cannot be restored. */
async function dropSlot(client: pg.Client, { sql }: PlanStep): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    if (isWaltrailError(error)) throw error;
    throw new WaltrailError(
      'SOURCE_SLOT_BUSY',
      `Everything except the slot is dropped (${serverSays(error)}).`,
      { cause: error, remedy: `Stop the program that reads the slot, then run: ${sql};` },
    );
  }
}

function dropText({ steps, slot, problems, warnings }: DropPlan): string {
  const sql = steps.map((step) => `-- ${step.reason}\n${step.sql};`);
  const parts = [
    steps.length + (slot === null ? 0 : 1) === 0 && problems.length === 0
      ? 'Nothing to do: the source has nothing that Waltrail created.'
      : '',
    steps.length === 0
      ? ''
      : ['Steps, in one transaction', 'begin;', "set local lock_timeout = '5s';", ...sql, 'commit;'].join(
          '\n',
        ),
    slot === null ? '' : `Then\n-- ${slot.reason}\n${slot.sql};`,
    warnings.length === 0 ? '' : ['Warnings', ...warnings.map((warning) => `- ${warning}`)].join('\n'),
    problems.length === 0
      ? ''
      : [
          'Problems (nothing is done until they are solved)',
          ...problems.map(({ code, message, remedy }) => `- ${code}: ${message}\n  ${remedy}`),
        ].join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n\n`;
}
