import { WaltrailError } from '../errors.js';
import { applyPlan } from '../tracking/apply.js';
import { applyProblems } from '../tracking/findings.js';
import { listNames } from '../tracking/list-names.js';
import { unpublishedBy } from '../tracking/unpublished.js';
import { defineCommand, type Answer, type Command, type Confirm } from './command.js';
import { makePlan, planAnswer, withSource } from './source-plan.js';

/**
 * `waltrail apply`: prints the plan and carries it out. Exits with 0 if the source is then as the YAML wants
 * it. Exits with 1 if a problem of the whole source forbids every step, if tables with their own problems
 * were left out, or if somebody else changed the source at the same time.
 */
export const apply: Command = defineCommand({
  usage: '[--yes] [--take-over]',
  help: `Carries out what waltrail plan shows, in one transaction. Tables with their own problems are left out. If a problem
concerns the whole source, nothing is done. Exits with 1 if a problem remains.

  --yes         let tables leave the publication; without it, the command asks on a terminal
  --take-over   take over a publication that is marked as another source's, or that somebody created for other tables
`,
  options: { yes: { type: 'boolean' }, 'take-over': { type: 'boolean' } },
  json: true,
  run: ({ values, settings, say, answer, confirm }) =>
    withSource(settings(), async (asked) => {
      const source = { ...asked, takeOver: values['take-over'] === true };
      const made = await makePlan(source);
      const planned = planAnswer(made);
      const { steps, problems } = made.plan;
      say(planned.text);
      const end = (outcome: Outcome, code: number): number => {
        answer(outcomeAnswer(outcome, { planned, steps: steps.length }));
        return code;
      };
      if (applyProblems(made.plan).length > 0) return end('refused', 1);
      const leftOut = problems.some(({ tables }) => tables.length > 0);
      if (steps.length === 0) return end('nothing to do', leftOut ? 1 : 0);
      const leaving = values.yes === true ? [] : unpublishedBy(steps);
      if (leaving.length > 0 && !(await mayLeave(leaving, confirm))) return end('not confirmed', 1);
      await applyPlan(source.client, made.plan);
      const left = (await makePlan(source)).plan;
      if (applyProblems(left).length + left.steps.length > 0) return end('changed meanwhile', 1);
      return end('applied', leftOut ? 1 : 0);
    }),
});

/**
 * Asks whether tables may leave the publication. A line of the YAML may have been deleted by mistake, and
 * their changes would no longer be recorded. Throws TRACKING_TABLES_LEAVE if there is no terminal.
 */
async function mayLeave(tables: readonly string[], confirm: Confirm | null): Promise<boolean> {
  const says = `${listNames(tables)} ${tables.length === 1 ? 'leaves' : 'leave'} the publication: changes of ${tables.length === 1 ? 'it' : 'them'} will no longer be recorded.`;
  if (confirm === null) throw new WaltrailError('TRACKING_TABLES_LEAVE', says);
  return confirm(`${says} Apply?`);
}

type Outcome = 'refused' | 'nothing to do' | 'not confirmed' | 'changed meanwhile' | 'applied';

function outcomeAnswer(
  outcome: Outcome,
  { planned, steps }: { readonly planned: Answer; readonly steps: number },
): Answer {
  const text = {
    refused: '',
    'nothing to do': '',
    'not confirmed': 'Nothing was applied.\n',
    'changed meanwhile':
      'Nothing was applied: somebody else changed the source at the same time. Run waltrail apply again.\n',
    applied: `Applied: ${steps} ${steps === 1 ? 'step' : 'steps'} in one transaction.\n`,
  }[outcome];
  return { text, data: { outcome, plan: planned.data } };
}
