import { rm } from 'node:fs/promises';

/** Ends what setup-postgres.mjs started. With `--watch` the next run starts it again. */
export default async function teardown() {
  const run = globalThis.__WALTRAIL_RUN__;
  if (run === undefined) return;
  globalThis.__WALTRAIL_RUN__ = undefined;
  delete process.env.WALTRAIL_TEST_LENDER;
  await run.lender?.stop();
  if (run.temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = run.temporary;
  if (run.memory !== undefined) await rm(run.memory, { recursive: true, force: true });
}
