import { defineCommand, type Command } from './command.js';
import { makePlan, planAnswer, withSource } from './source-plan.js';

/** `waltrail plan`: prints what `apply` would do to the source. Exits with 1 if there are problems. */
export const plan: Command = defineCommand({
  usage: '',
  help: `Exits with 1 where the plan has problems. The SQL of its steps can be run by hand as it stands.
`,
  options: {},
  json: true,
  run: ({ settings, answer }) =>
    withSource(settings(), async (source) => {
      const made = await makePlan(source);
      answer(planAnswer(made));
      return made.plan.problems.length > 0 ? 1 : 0;
    }),
});
