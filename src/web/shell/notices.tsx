import { dismiss, notices } from '../state/notices.ts';
import { CloseIcon } from '../ui/icons.tsx';

/** Shows the notices that the reader has not dismissed. */
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
              dismiss(text);
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
