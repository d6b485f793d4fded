import type { Problem } from '../api-types.ts';

/** What a list follows: one of the views of `POST /v1/entries/stream`. */
export interface FollowedView {
  /** URL of the route. */
  readonly url: string;
  /** Who is signed in, as text. Tabs of different people never share a connection. */
  readonly session: string;
  /** The filters of the list, as in a body of the API. */
  readonly filters: Readonly<Record<string, unknown>>;
  /** Id of the last entry that the list has. Null: it begins at the end of the trail. */
  readonly after: string | null;
}

/** State of a connection. */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting';

/** The same for one tab. `crowded`: the maximum number of lists is live, and this one waits. */
export type FeedState = ConnectionState | 'crowded';

/**
 * Messages from a tab to the hub. `follow` is repeated while the tab exists, so that the hub keeps the tab.
 */
export type FromTab =
  | { readonly type: 'follow'; readonly view: FollowedView }
  | { readonly type: 'leave' }
  /** Ends a pause before the next attempt, because the network may work again. */
  | { readonly type: 'hurry' };

/** Messages from the hub to a tab. */
export type ToTab =
  | { readonly type: 'state'; readonly state: FeedState }
  /** `json` is the entry as the API prints it, so no number is converted to a double. */
  | { readonly type: 'entry'; readonly id: string; readonly json: string }
  | { readonly type: 'position'; readonly id: string; readonly behindSeconds: number }
  /** The server refuses the view. No further attempt follows. */
  | { readonly type: 'refused'; readonly problem: Problem }
  /** Somebody else has signed in with this browser. */
  | { readonly type: 'superseded' }
  /** Answers `follow`. */
  | { readonly type: 'here' };

/** Whether an entry comes after another one. Ids are decimal numbers that a double cannot hold. */
export const isAfter = (id: string, other: string): boolean =>
  id.length === other.length ? id > other : id.length > other.length;
