import type { ComponentChildren } from 'preact';
import type { Problem } from '../api-types.ts';
import { AlertIcon } from './icons.tsx';

/** Shows a problem as title, detail and remedy. `children` are the buttons that carry out the remedy. */
export function ProblemBox({ problem, children }: { problem: Problem; children?: ComponentChildren }) {
  return (
    <div class="problem" role="alert">
      <AlertIcon />
      <div>
        <p class="problem-title">{problem.title}</p>
        {problem.detail !== undefined && problem.detail !== problem.title && <p>{problem.detail}</p>}
        {problem.remedy !== undefined && <p class="problem-remedy">{problem.remedy}</p>}
        {children !== undefined && <div class="problem-actions">{children}</div>}
      </div>
    </div>
  );
}
