import { announcement } from '../state/announcements.ts';

/** The page's only live region. */
export function Announcer() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {announcement.value}
    </div>
  );
}
