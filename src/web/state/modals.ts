import { signal } from '@preact/signals';

/** Number of open modal dialogs. While there is one, what lies beneath must not move. */
export const openModals = signal(0);
