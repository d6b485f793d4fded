import { prepare } from '../../scripts/prepare.mjs';

/**
 * Builds what is stale of `parts` (`daemon`, `page`) before specs run. `npm test` has done it already; this is for the later
 * runs of `npm test -- --watch` and for editors, which start Jest themselves.
 */
export async function build(parts) {
  // What is tested is a copy of dist/ with something left out.
  if (process.env.WALTRAIL_TEST_DIST !== undefined) return;
  await prepare(parts);
}
