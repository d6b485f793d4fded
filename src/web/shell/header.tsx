import { unfinished, unseen } from '../state/exports.ts';
import { mayExport, session, signOut } from '../state/session.ts';
import { shortcutsOpen } from '../state/shortcuts.ts';
import { chooseTheme, theme, THEMES, type Theme } from '../state/theme.ts';
import { show } from '../state/view.ts';
import { DownloadIcon, KeyboardIcon, LogoIcon, ThemeIcon } from '../ui/icons.tsx';

const THEME_TEXTS: Readonly<Record<Theme, string>> = { system: 'System', light: 'Light', dark: 'Dark' };

/**
 * Shows the name of the page, the source, and the controls for exports, shortcuts, theme and session.
 */
export function Header() {
  const current = session.value;
  if (current === null) return null;
  return (
    <header class="page-head">
      <div class="brand">
        <LogoIcon />
        <span>Waltrail</span>
      </div>
      <h1>Audit trail logs</h1>
      <span class="source" title="The database that is audited">
        <span class="visually-hidden">Source </span>
        {current.source}
      </span>
      <nav class="page-tools" aria-label="Page">
        {mayExport.value && <ExportsButton />}
        <button
          type="button"
          class="quiet with-icon only-wide"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={() => (shortcutsOpen.value = true)}
        >
          <KeyboardIcon />
        </button>
        <ThemeButton />
        <span class="who">
          <span class="who-name">{current.name}</span>
          <span class="who-role">
            {current.role}
            {current.tenant !== null && `, tenant ${current.tenant}`}
          </span>
        </span>
        <button type="button" class="bordered" onClick={() => void signOut()}>
          Sign out
        </button>
      </nav>
    </header>
  );
}

function ExportsButton() {
  const running = unfinished.value.length;
  const note = running > 0 ? `${running} running` : unseen.value > 0 ? `${unseen.value} new` : null;
  return (
    <button
      type="button"
      class="quiet with-icon"
      data-exports-button
      aria-haspopup="dialog"
      onClick={() => show({ panel: 'exports' })}
    >
      <DownloadIcon />
      Exports
      {note !== null && <span class={running > 0 ? 'count is-running' : 'count'}>{note}</span>}
    </button>
  );
}

function ThemeButton() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
  return (
    <button
      type="button"
      class="quiet with-icon"
      aria-label={`Theme: ${THEME_TEXTS[theme.value]}. Change to ${THEME_TEXTS[next]}.`}
      title={`Theme: ${THEME_TEXTS[theme.value]}`}
      onClick={() => chooseTheme(next)}
    >
      <ThemeIcon />
      <span class="only-wide">{THEME_TEXTS[theme.value]}</span>
    </button>
  );
}
