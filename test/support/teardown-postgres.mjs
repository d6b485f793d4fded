/** Ends what setup-postgres.mjs started. With `--watch` the next run starts another. */
export default async function teardown() {
  const server = globalThis.__WALTRAIL_POSTGRES__;
  if (server === undefined) return;
  globalThis.__WALTRAIL_POSTGRES__ = undefined;
  delete process.env.WALTRAIL_TEST_POSTGRES;
  await server.stop();
}
