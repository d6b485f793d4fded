/**
 * Runs in each spec before its own imports. If dist/ is older than its sources, no result means anything, so
 * the spec fails.
 */
if (process.env.WALTRAIL_TEST_UNBUILT !== undefined) throw new Error(process.env.WALTRAIL_TEST_UNBUILT);
