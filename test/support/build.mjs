import { prepare } from '../../scripts/prepare.mjs';

/**
 * Builds what is stale of `parts` (`daemon`, `page`) before specs run, and returns whether it is built. `npm
 * test` has already done so. This serves later runs of `npm test -- --watch`, and editors that start Jest
 * themselves. An error here would end the watch mode. So the error is left to the specs, which all fail with
 * it (test/support/refuse-unbuilt.mjs).
 */
export async function build(parts) {
  delete process.env.WALTRAIL_TEST_UNBUILT;
  // The test runs on a copy of dist/ with something left out.
  if (process.env.WALTRAIL_TEST_DIST !== undefined) return true;
  try {
    await prepare(parts);
    return true;
  } catch (error) {
    process.env.WALTRAIL_TEST_UNBUILT = error.message;
    return false;
  }
}
