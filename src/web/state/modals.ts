import { signal } from '@preact/signals';

/** Number of open modal dialogs. While one is open, the page beneath it must not move. */
export const openModals = signal(0);
