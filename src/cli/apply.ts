import { applyPlan } from '../tracking/apply.js';
import { applyProblems } from '../tracking/findings.js';
import { defineCommand, type Command, type Answer } from './command.js';
import { makePlan, planAnswer, withSource } from './source-plan.js';

/**
 * `waltrail apply`: prints the plan and carries it out. Exits with 0 if the source is then as the YAML wants
 * it. Exits with 1 if a problem of the whole source forbids every step, if tables with problems of their own
 * were left out, or if the source was changed by somebody else meanwhile.
 */
export const apply: Command = defineCommand({
  usage: '[--yes]',
  help: `Does what waltrail plan shows, in one transaction. Tables with problems of their own are left out. Exits with 1 where
a problem is left, and does nothing at all where one concerns the whole source.

  --yes   take over a publication that is marked as another source's, or holds tables of nobody knows whom
`,
  options: { yes: { type: 'boolean' } },
  json: true,
  run: ({ values, settings, say, answer }) =>
    withSource(settings(), async (asked) => {
      const source = { ...asked, takeOver: values.yes === true };
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
      await applyPlan(source.client, made.plan);
      const left = (await makePlan(source)).plan;
      if (applyProblems(left).length + left.steps.length > 0) return end('changed meanwhile', 1);
      return end('applied', leftOut ? 1 : 0);
    }),
});

type Outcome = 'refused' | 'nothing to do' | 'changed meanwhile' | 'applied';

function outcomeAnswer(
  outcome: Outcome,
  { planned, steps }: { readonly planned: Answer; readonly steps: number },
): Answer {
  const text = {
    refused: '',
    'nothing to do': '',
    'changed meanwhile': 'Somebody else changed the source meanwhile; run waltrail apply again.\n',
    applied: `Applied: ${steps} ${steps === 1 ? 'step' : 'steps'} in one transaction.\n`,
  }[outcome];
  return { text, data: { outcome, plan: planned.data } };
}
