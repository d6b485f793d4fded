/**
 * Runs before each spec that needs PostgreSQL. Borrows the server of its worker from the lender in the main
 * process.
 */
const lender = process.env.WALTRAIL_TEST_LENDER;
if (lender !== undefined) {
  // A connection that is kept for the next spec may be closed by the lender at the moment it is used.
  const answer = await fetch(`${lender}/${process.env.JEST_WORKER_ID}`, { headers: { connection: 'close' } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`There is no PostgreSQL for this spec: ${text}`);
  process.env.WALTRAIL_TEST_POSTGRES = text;
}
