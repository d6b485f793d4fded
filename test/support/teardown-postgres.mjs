/** Ends what setup-postgres.mjs started. With `--watch` the next run starts others. */
export default async function teardown() {
  const lender = globalThis.__WALTRAIL_LENDER__;
  if (lender === undefined) return;
  globalThis.__WALTRAIL_LENDER__ = undefined;
  delete process.env.WALTRAIL_TEST_LENDER;
  await lender.stop();
}
