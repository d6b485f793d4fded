/** Why a list is not live: the browser already follows the maximum number of lists (`web/feed/hub.ts`). */
export const CROWDED_TEXT =
  'Ten other lists with different filters are live in this browser. Close the tab of one of them. This list then becomes live automatically and misses no entry.';
