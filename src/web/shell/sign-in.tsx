import { useRef, useState } from 'preact/hooks';
import { sessionState, signIn } from '../state/session.ts';
import { LogoIcon } from '../ui/icons.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';

const REASONS = {
  none: null,
  expired: 'Your session has ended. Sign in again to continue with the same view.',
  left: 'You are signed out.',
} as const;

/** The form for a token, shown whenever nobody is signed in. */
export function SignIn() {
  const input = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState(false);
  const state = sessionState.value;
  if (state.is !== 'signed-out') return null;

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const token = input.current!.value.trim();
    setMissing(token === '');
    if (token === '') return input.current!.focus();
    setBusy(true);
    await signIn(token);
    setBusy(false);
    input.current?.select();
  };

  const reason = REASONS[state.reason];
  return (
    <main class="sign-in" id="main">
      <div class="sign-in-card">
        <div class="brand brand-large">
          <LogoIcon />
          <span>Waltrail</span>
        </div>
        <h1>Audit trail logs</h1>
        {reason !== null && (
          <p class="notice" role="status">
            {reason}
          </p>
        )}
        {state.problem !== null && <ProblemBox problem={state.problem} />}
        <form onSubmit={(event) => void submit(event)} noValidate>
          <label for="token">Access token or sign-in code</label>
          <input
            id="token"
            ref={input}
            type="password"
            autocomplete="current-password"
            autocapitalize="none"
            spellcheck={false}
            maxLength={1000}
            autofocus
            aria-invalid={missing || undefined}
            aria-describedby={missing ? 'token-missing token-help' : 'token-help'}
          />
          {missing && (
            <p class="field-error" id="token-missing">
              Type or paste a token first.
            </p>
          )}
          <p class="help" id="token-help">
            The link that Waltrail prints when it starts signs you in automatically. To create a token, run{' '}
            <code>waltrail token create</code>.
          </p>
          <button type="submit" class="primary" aria-busy={busy} disabled={busy}>
            {busy ? 'Signing in…' : 'Sign in'}
          </button>
        </form>
      </div>
    </main>
  );
}
