/**
 * Runs in each spec before its own imports: what is in dist/ is older than its sources, and no result of it
 * means anything.
 */
if (process.env.WALTRAIL_TEST_UNBUILT !== undefined) throw new Error(process.env.WALTRAIL_TEST_UNBUILT);
