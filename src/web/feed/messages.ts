import type { Problem } from '../api-types.ts';

/** What a list follows, as one of the views of `POST /v1/entries/stream`. */
export interface FollowedView {
  /** URL of the route. */
  readonly url: string;
  /** Who is signed in, as text: tabs of different people never share a connection. */
  readonly session: string;
  /** The filters of the list, as in a body of the API. */
  readonly filters: Readonly<Record<string, unknown>>;
  /** Id of the last entry that the list has; null: it begins at the end of the trail. */
  readonly after: string | null;
}

/** State of a connection. */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting';

/** The same for one tab. `crowded`: as many lists as may be are live, and this one waits for a place. */
export type FeedState = ConnectionState | 'crowded';

/** What a tab tells the hub. `follow` is repeated while the tab is there, so that the hub forgets nobody. */
export type FromTab =
  | { readonly type: 'follow'; readonly view: FollowedView }
  | { readonly type: 'leave' }
  /** The network may be back: a pause before the next attempt ends. */
  | { readonly type: 'hurry' };

/** What the hub tells a tab. */
export type ToTab =
  | { readonly type: 'state'; readonly state: FeedState }
  /** `json` is the entry as the API prints it, so that no number passes through a double. */
  | { readonly type: 'entry'; readonly id: string; readonly json: string }
  | { readonly type: 'position'; readonly id: string; readonly behindSeconds: number }
  /** No further attempt follows. */
  | { readonly type: 'refused'; readonly problem: Problem }
  /** Somebody else has signed in with this browser. */
  | { readonly type: 'superseded' }
  /** Answers `follow`. */
  | { readonly type: 'here' };

/** Whether an entry comes after another one. Ids are decimal numbers that a double cannot hold. */
export const isAfter = (id: string, other: string): boolean =>
  id.length === other.length ? id > other : id.length > other.length;
