import { computed, signal } from '@preact/signals';
import type { Problem, Session } from '../api-types.ts';
import { ApiError, onSessionEnded, problemFrom, request } from '../http/client.ts';
import type { RangeLimit } from '../time/ranges.ts';
import { notify } from './notices.ts';

/** `unknown` until the server has answered who is signed in. */
export type SessionState =
  | { readonly is: 'unknown' }
  | {
      readonly is: 'signed-out';
      readonly reason: 'none' | 'expired' | 'left';
      readonly problem: Problem | null;
    }
  | { readonly is: 'signed-in'; readonly session: Session };

export const sessionState = signal<SessionState>({ is: 'unknown' });
/** Who is signed in. Null if nobody is. */
export const session = computed(() =>
  sessionState.value.is === 'signed-in' ? sessionState.value.session : null,
);
/** The longest range of a report. A week until it is known. */
export const rangeLimit = computed<RangeLimit>(
  () => session.value ?? { maxRangeDays: 7, calendarDays: true },
);
/** Whether the reader may export. */
export const mayExport = computed(() => session.value !== null && session.value.role !== 'viewer');

/** Time between two attempts to find out who is signed in, while the server does not answer. */
const RETRY_MS = 3_000;
/** Informs the other tabs of this browser that its cookie has changed. All browsers in use have this API. */
const otherTabs = new BroadcastChannel('waltrail.session');

/** Finds out who is signed in: from the sign-in code of the URL if there is one, else from the cookie. */
export async function beginSession(): Promise<void> {
  onSessionEnded(() => {
    // While a code is exchanged, a 401 is about the code. The next request shows whether the session is
    // valid.
    if (sessionState.value.is === 'signed-in' && !isExchanging) signedOut('expired');
  });
  otherTabs.onmessage = () => void askWhoIsSignedIn();
  // If a link is pasted into a tab that already shows this page, only the hash changes and nothing is loaded.
  addEventListener('hashchange', () => {
    const pasted = takeSignInCode();
    if (pasted !== null) void signInByCode(pasted);
  });
  const code = takeSignInCode();
  if (code !== null) return signInByCode(code);
  try {
    signedIn(await request<Session>('GET', 'session'));
  } catch (error) {
    const isMissing = error instanceof ApiError && error.problem.status === 401;
    signedOut('none', isMissing ? null : problemFrom(error));
    if (!isMissing) askUntilAnswered();
  }
}

/**
 * Asks again who is signed in, because another tab has signed in or out. If the server does not answer,
 * nothing changes.
 */
export async function askWhoIsSignedIn(): Promise<void> {
  try {
    const found = await request<Session>('GET', 'session');
    if (JSON.stringify(found) !== JSON.stringify(session.peek())) signedIn(found);
  } catch {
    // With a 401, the listener was called already.
  }
}

/** Asks until the server answers. The cookie may be valid. Until then, the form is shown. */
function askUntilAnswered(): void {
  const asked = sessionState.peek();
  const again = async (): Promise<void> => {
    if (sessionState.peek() === asked) await askWhoIsSignedIn();
    if (sessionState.peek() !== asked) {
      clearInterval(timer);
      removeEventListener('online', ask);
    }
  };
  const ask = (): void => void again();
  const timer = setInterval(ask, RETRY_MS);
  addEventListener('online', ask);
}

let isExchanging = false;

/** Signs in with a code. If the code is refused (used or expired), the existing session stays signed in. */
async function signInByCode(code: string): Promise<void> {
  isExchanging = true;
  try {
    signedIn(await request<Session>('POST', 'session', { body: { token: code } }));
    otherTabs.postMessage('changed');
  } catch (error) {
    await stayAfter(problemFrom(error));
  } finally {
    isExchanging = false;
  }
}

async function stayAfter(refusal: Problem): Promise<void> {
  if (sessionState.peek().is !== 'signed-in') {
    try {
      signedIn(await request<Session>('GET', 'session'));
    } catch {
      // Nobody is signed in, or the server does not answer: the form shows the refusal.
      signedOut('none', refusal);
      return;
    }
  }
  notify(
    refusal.status === 401
      ? 'The sign-in link was not accepted: it was used before or has expired. You are still signed in.'
      : `The sign-in link could not be tried: ${refusal.title}. You are still signed in.`,
  );
}

/**
 * Exchanges a token or a one-time code for the session's cookie. A failure becomes part of the session state.
 */
export async function signIn(token: string): Promise<void> {
  try {
    signedIn(await request<Session>('POST', 'session', { body: { token } }));
    otherTabs.postMessage('changed');
  } catch (error) {
    signedOut('none', problemFrom(error));
  }
}

/** Ends the session on the server, then on the page. */
export async function signOut(): Promise<void> {
  try {
    await request('DELETE', 'session');
    signedOut('left');
    otherTabs.postMessage('changed');
  } catch (error) {
    // A 401 means that the session has already ended. After any other failure the cookie remains, so the
    // failure is shown.
    const isGone = error instanceof ApiError && error.problem.status === 401;
    signedOut('left', isGone ? null : problemFrom(error));
  }
}

function signedIn(session: Session): void {
  sessionState.value = { is: 'signed-in', session };
}

function signedOut(reason: 'none' | 'expired' | 'left', problem: Problem | null = null): void {
  sessionState.value = { is: 'signed-out', reason, problem };
}

/**
 * Removes the code from the URL and the history before it is used, so that neither a bookmark nor Back holds
 * it.
 */
function takeSignInCode(): string | null {
  const match = /^#signin=(.+)$/.exec(location.hash);
  if (match === null) return null;
  history.replaceState(history.state, '', location.pathname + location.search);
  try {
    return decodeURIComponent(match[1]!);
  } catch {
    return match[1]!;
  }
}
