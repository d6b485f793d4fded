import { signal } from '@preact/signals';

const message = signal('');

/** Says something to screen readers, politely. The same words twice are said twice. */
export function announce(text: string): void {
  message.value = message.peek() === text ? `${text}\u00a0` : text;
}

/** The page's one live region. */
export function Announcer() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {message.value}
    </div>
  );
}
