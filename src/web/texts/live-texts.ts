/** Why a list is not live while as many others are as a browser may follow (`web/feed/hub.ts`). */
export const CROWDED_TEXT =
  'Ten other lists with filters of their own are live in this browser. Close the tab of one of them, and this list is live by itself, with what it missed.';
