export default async function teardown() {
  await globalThis.__WALTRAIL_POSTGRES__?.stop();
}
