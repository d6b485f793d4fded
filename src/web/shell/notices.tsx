import { signal } from '@preact/signals';
import { announce } from './announcer.tsx';
import { CloseIcon } from '../ui/icons.tsx';

const notices = signal<readonly string[]>([]);

/** Says something that needs no answer above the list, until the reader puts it away. */
export function notify(text: string): void {
  if (notices.peek().includes(text)) return;
  notices.value = [...notices.peek(), text];
  announce(text);
}

/** What was said and not yet put away. */
export function Notices() {
  return (
    <>
      {notices.value.map((text) => (
        <div key={text} class="notice notice-dismissible">
          <p>{text}</p>
          <button
            type="button"
            class="icon-button"
            aria-label="Dismiss this notice"
            onClick={() => {
              notices.value = notices.peek().filter((other) => other !== text);
              document.getElementById('entries')?.focus({ preventScroll: true });
            }}
          >
            <CloseIcon />
          </button>
        </div>
      ))}
    </>
  );
}
