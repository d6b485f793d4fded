import { applyProblems, type TrackingPlan } from '../tracking/findings.js';
import { planSql } from '../tracking/plan-text.js';
import { defineCommand, type Answer, type Command } from './command.js';
import { makePlan, planAnswer, withSource } from './source-plan.js';

/**
 * `waltrail plan [--sql]`: prints what `apply` would do to the source. Exits with 1 if there are problems.
 */
export const plan: Command = defineCommand({
  usage: '[--sql]',
  help: `Exits with 1 if the plan has problems. The SQL of its steps can be run by hand as printed.

  --sql   print only that SQL, for example for waltrail plan --sql | psql; print nothing if a problem forbids the steps
`,
  options: { sql: { type: 'boolean' } },
  json: true,
  run: ({ values, settings, progress, answer }) =>
    withSource(settings(), async (source) => {
      const made = await makePlan(source);
      const { plan: found } = made;
      answer(values.sql === true ? sqlAnswer(found) : planAnswer(made));
      // Standard output may be piped to psql, so problems go to standard error.
      if (values.sql === true)
        for (const { code, message, remedy } of found.problems) progress(`${code}: ${message}\n${remedy}\n`);
      return found.problems.length > 0 ? 1 : 0;
    }),
});

function sqlAnswer(found: TrackingPlan): Answer {
  const sql = applyProblems(found).length > 0 ? '' : planSql(found);
  return { text: sql === '' ? '' : `${sql}\n`, data: { sql } };
}
