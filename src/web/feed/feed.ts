import type { Problem } from '../api-types.ts';
import { Hub } from './hub.ts';
import type { FeedState, FollowedView, FromTab, ToTab } from './messages.ts';
import { openStream } from './stream-connection.ts';

export interface FeedListener {
  /** Returns what the list follows, and the id up to which the list has everything. Called repeatedly. */
  readonly view: () => FollowedView;
  readonly onState: (state: FeedState) => void;
  readonly onEntry: (entry: { readonly id: string; readonly json: string }) => void;
  readonly onPosition: (position: { readonly id: string; readonly behindSeconds: number }) => void;
  /** Called when the server refuses the view. No further attempt follows. */
  readonly onRefused: (problem: Problem) => void;
  /** Called when somebody else has signed in with this browser. */
  readonly onSuperseded: () => void;
}

export interface Feed {
  /** Makes an attempt immediately, because the network may work again. */
  hurry(): void;
  end(): void;
}

/** Time between two messages in which a tab reports that it still exists. */
const FOLLOW_MS = 2_000;
/** Number of unanswered messages after which the worker counts as crashed. Another tab may have caused it. */
const MAX_UNANSWERED = 3;

/**
 * Whether all tabs share one connection. Without shared workers, as in Chrome for Android, each tab has its
 * own.
 */
export const isShared = (): boolean => !isBroken && 'SharedWorker' in globalThis;
let isBroken = false;

/**
 * Follows a list live. A shared worker has the connection. Web Locks would need HTTPS. A leading tab could be
 * frozen, slowed down or closed while other tabs need the connection. If the worker crashes, each tab starts
 * it again and resumes at its own position.
 */
export function openFeed(listener: FeedListener): Feed {
  let line = openLine(receive, broken);
  let unanswered = 0;
  let hasAnswered = false;
  const timer = setInterval(follow, FOLLOW_MS);
  follow();

  function follow(): void {
    if (unanswered >= MAX_UNANSWERED) return broken();
    unanswered += 1;
    line.say({ type: 'follow', view: listener.view() });
  }

  function receive(message: ToTab): void {
    unanswered = 0;
    hasAnswered = true;
    if (message.type === 'state') listener.onState(message.state);
    else if (message.type === 'entry') listener.onEntry(message);
    else if (message.type === 'position') listener.onPosition(message);
    else if (message.type === 'refused') {
      end();
      listener.onRefused(message.problem);
    } else if (message.type === 'superseded') {
      end();
      listener.onSuperseded();
    }
  }

  /** Starts the worker again. If it has never answered, it does not work here, and the tab connects alone. */
  function broken(): void {
    line.close();
    if (!hasAnswered) isBroken = true;
    hasAnswered = false;
    unanswered = 0;
    listener.onState('reconnecting');
    line = openLine(receive, broken);
    follow();
  }

  function end(): void {
    clearInterval(timer);
    line.say({ type: 'leave' });
    line.close();
  }

  return { hurry: () => line.say({ type: 'hurry' }), end };
}

/** A channel to the hub, which is in the shared worker or in this tab. */
interface Line {
  say(message: FromTab): void;
  close(): void;
}

function openLine(receive: (message: ToTab) => void, broken: () => void): Line {
  let isOpen = true;
  const deliver = (message: ToTab): void => {
    if (isOpen) receive(message);
  };
  const worker = isShared() ? startWorker() : undefined;
  if (worker === undefined) {
    const hub = new Hub(openStream);
    return { say: (message) => hub.hear(deliver, message), close: () => (isOpen = false) };
  }
  worker.onerror = () => isOpen && broken();
  worker.port.onmessage = ({ data }: MessageEvent<ToTab>) => deliver(data);
  return {
    say: (message) => worker.port.postMessage(message),
    close: () => {
      isOpen = false;
      worker.port.close();
    },
  };
}

function startWorker(): SharedWorker | undefined {
  try {
    return new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  } catch {
    // The settings of the browser forbid it.
    isBroken = true;
    return undefined;
  }
}
