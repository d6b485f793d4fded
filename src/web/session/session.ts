import { computed, signal } from '@preact/signals';
import type { Problem, Session } from '../api-types.ts';
import { ApiError, onSessionEnded, problemFrom, request } from '../api.ts';

/** `unknown` until the server has said who is signed in. */
export type SessionState =
  | { readonly is: 'unknown' }
  | {
      readonly is: 'signed-out';
      readonly reason: 'none' | 'expired' | 'left';
      readonly problem: Problem | null;
    }
  | { readonly is: 'signed-in'; readonly session: Session };

export const sessionState = signal<SessionState>({ is: 'unknown' });
/** Who is signed in; null for nobody. */
export const session = computed(() =>
  sessionState.value.is === 'signed-in' ? sessionState.value.session : null,
);
export const mayExport = computed(() => session.value !== null && session.value.role !== 'viewer');

/** Finds out who is signed in: by the sign-in code of the URL, if it has one, else by the cookie. */
export async function beginSession(): Promise<void> {
  onSessionEnded(() => {
    if (sessionState.value.is === 'signed-in') signedOut('expired');
  });
  const code = takeSignInCode();
  if (code !== null) return signIn(code);
  try {
    signedIn(await request<Session>('GET', 'session'));
  } catch (error) {
    const isMissing = error instanceof ApiError && error.problem.status === 401;
    signedOut('none', isMissing ? null : problemFrom(error));
  }
}

/** Exchanges a token or a one-time code for the session's cookie; what went wrong is in the state. */
export async function signIn(token: string): Promise<void> {
  try {
    signedIn(await request<Session>('POST', 'session', { body: { token } }));
  } catch (error) {
    signedOut('none', problemFrom(error));
  }
}

/** Signs out here at once, and on the server. */
export async function signOut(): Promise<void> {
  try {
    await request('DELETE', 'session');
    signedOut('left');
  } catch (error) {
    // A session that has ended already is what was wanted; anything else leaves the cookie, and must be said.
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

/** The code leaves the URL and the history before it is used: neither a bookmark nor Back may hold it. */
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
