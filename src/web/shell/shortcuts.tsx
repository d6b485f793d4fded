import { showWaiting } from '../state/live.ts';
import { mayExport } from '../state/session.ts';
import { enableSingleKeys, shortcutsOpen, singleKeysEnabled } from '../state/shortcuts.ts';
import { show } from '../state/view.ts';
import { CloseIcon } from '../ui/icons.tsx';
import { Modal } from '../ui/modal.tsx';

/** What the keyboard shortcuts need from the rows of the list. */
export interface RowFocus {
  /** Whether the focus is on a row. */
  readonly isOnRow: () => boolean;
  /** Moves the focus one row down (1) or up (-1). Returns whether there is a row. */
  readonly moveRow: (by: 1 | -1) => boolean;
}

const SHORTCUTS = [
  [['/'], 'Search'],
  [['j', '↓'], 'Next entry'],
  [['k', '↑'], 'Previous entry'],
  [['Enter'], 'Open the entry'],
  [['n'], 'Show new entries'],
  [['x'], 'Open the exports'],
  [['Esc'], 'Close what is open'],
  [['?'], 'These shortcuts'],
] as const;

/**
 * Handles the keys of the whole page. The table moves the focus among rows, so its functions are passed in.
 */
export function followKeys(rows: RowFocus): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest('input, select, textarea, dialog, .popover-panel')) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      // Outside of the rows, the arrow keys scroll the page.
      if (rows.isOnRow() && rows.moveRow(event.key === 'ArrowDown' ? 1 : -1)) event.preventDefault();
      return;
    }
    if (singleKeysEnabled.peek() && act(event.key, rows)) event.preventDefault();
  });
}

function act(key: string, { moveRow }: RowFocus): boolean {
  switch (key) {
    case '/':
      document.querySelector<HTMLInputElement>('[data-search]')?.select();
      return true;
    case 'j':
      return moveRow(1);
    case 'k':
      return moveRow(-1);
    case 'n':
      showWaiting();
      scrollTo({ top: 0 });
      return true;
    case 'x':
      if (mayExport.peek()) show({ panel: 'exports' });
      return true;
    case '?':
      shortcutsOpen.value = true;
      return true;
    default:
      return false;
  }
}

/** Shows the list of shortcuts, with the switch that turns them on and off. */
export function Shortcuts() {
  return shortcutsOpen.value ? <ShortcutsDialog /> : null;
}

const close = (): void => void (shortcutsOpen.value = false);

function ShortcutsDialog() {
  return (
    <Modal shape="box" labelledBy="shortcuts-title" onClose={close}>
      <header class="box-head">
        <h2 id="shortcuts-title" tabIndex={-1} autofocus>
          Keyboard shortcuts
        </h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <dl class="shortcuts">
        {SHORTCUTS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="switch">
        <input
          type="checkbox"
          checked={singleKeysEnabled.value}
          onChange={(event) => enableSingleKeys(event.currentTarget.checked)}
        />
        Single-key shortcuts
      </label>
    </Modal>
  );
}
