import type { ComponentChildren } from 'preact';

/**
 * Draws a line icon on a 16 by 16 grid. All icons are decorative: a text or a label next to them says the
 * same.
 */
function Icon({ children, size = 16 }: { children: ComponentChildren; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

export const LogoIcon = () => (
  <svg class="logo" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="8" class="logo-tile" />
    <path
      d="M6 12h4l3 10 4-14 3 10 2-6h4"
      fill="none"
      class="logo-line"
      stroke-width="2.6"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>
);
export const ChevronIcon = () => (
  <Icon>
    <path d="m4.5 6.5 3.5 3.5 3.5-3.5" />
  </Icon>
);
export const CloseIcon = () => (
  <Icon>
    <path d="m4 4 8 8m0-8-8 8" />
  </Icon>
);
export const SearchIcon = () => (
  <Icon>
    <circle cx="7" cy="7" r="4.25" />
    <path d="m13.5 13.5-3.2-3.2" />
  </Icon>
);
export const CheckIcon = () => (
  <Icon>
    <path d="m3.5 8.5 3 3 6-7" />
  </Icon>
);
export const CalendarIcon = () => (
  <Icon>
    <rect x="2.25" y="3.25" width="11.5" height="10.5" rx="1.75" />
    <path d="M2.5 6.5h11M5.25 1.75v3M10.75 1.75v3" />
  </Icon>
);
export const DownloadIcon = () => (
  <Icon>
    <path d="M8 2.25v8m-3-3 3 3 3-3M2.75 13.25h10.5" />
  </Icon>
);
export const AlertIcon = () => (
  <Icon size={18}>
    <path d="M8 1.9 14.6 13.4H1.4zM8 6.2v3.3M8 11.4v.1" />
  </Icon>
);
export const AgentIcon = () => (
  <Icon size={12}>
    <circle cx="8" cy="5.25" r="3" />
    <path d="M2.25 14c.6-3 2.9-4.5 5.75-4.5s5.15 1.5 5.75 4.5" />
  </Icon>
);
export const BotIcon = () => (
  <Icon size={12}>
    <rect x="2.5" y="5.5" width="11" height="8" rx="2" />
    <path d="M8 5.5V2.5M6 9v1.2M10 9v1.2" />
  </Icon>
);
export const SystemIcon = () => (
  <Icon size={12}>
    <circle cx="8" cy="8" r="2.25" />
    <path d="M8 1.75v2M8 12.25v2M14.25 8h-2M3.75 8h-2M12.4 3.6 11 5M5 11l-1.4 1.4M12.4 12.4 11 11M5 5 3.6 3.6" />
  </Icon>
);
export const ThemeIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="5.75" />
    <path d="M8 2.25v11.5A5.75 5.75 0 0 0 8 2.25z" fill="currentColor" />
  </Icon>
);
export const KeyboardIcon = () => (
  <Icon>
    <rect x="1.5" y="3.75" width="13" height="8.5" rx="1.5" />
    <path d="M4 6.5h.1M6.7 6.5h.1M9.3 6.5h.1M12 6.5h.1M5 9.7h6" />
  </Icon>
);
export const PauseIcon = () => (
  <Icon size={12}>
    <path d="M5.5 3.5v9M10.5 3.5v9" stroke-width="2.4" />
  </Icon>
);
export const ArrowUpIcon = () => (
  <Icon>
    <path d="M8 13V3.5m-4 4 4-4 4 4" />
  </Icon>
);
export const ArrowDownIcon = () => (
  <Icon>
    <path d="M8 3v9.5m4-4-4 4-4-4" />
  </Icon>
);
export const InboxIcon = () => (
  <svg
    class="icon icon-large"
    width="44"
    height="44"
    viewBox="0 0 44 44"
    fill="none"
    stroke="currentColor"
    stroke-width="1.6"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
    focusable="false"
  >
    <rect x="8" y="6" width="28" height="32" rx="4" />
    <path d="M14 14h16M14 20h10M14 26h13" />
    <circle cx="31" cy="31" r="7" class="icon-fill" />
    <path d="m36 36 4 4" />
  </svg>
);
