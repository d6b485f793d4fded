import { prepare } from '../../scripts/prepare.mjs';

/**
 * Builds what is stale of `parts` (`daemon`, `page`) before specs run; says whether it is built. `npm test`
 * has done it already; this is for the later runs of `npm test -- --watch` and for editors, which start Jest
 * themselves. An error here would end watching, so it is left to the specs, each of which fails with it
 * (test/support/refuse-unbuilt.mjs).
 */
export async function build(parts) {
  delete process.env.WALTRAIL_TEST_UNBUILT;
  // What is tested is a copy of dist/ with something left out.
  if (process.env.WALTRAIL_TEST_DIST !== undefined) return true;
  try {
    await prepare(parts);
    return true;
  } catch (error) {
    process.env.WALTRAIL_TEST_UNBUILT = error.message;
    return false;
  }
}
