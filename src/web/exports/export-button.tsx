import { useState } from 'preact/hooks';
import { rangeProblem } from '../state/entries.ts';
import { mayExport } from '../state/session.ts';
import { DownloadIcon } from '../ui/icons.tsx';
import { ExportDialog } from './export-dialog.tsx';

/** Opens the export dialog. If the reader cannot export, the button explains why. */
export function ExportButton() {
  const [open, setOpen] = useState(false);
  const why = !mayExport.value
    ? 'Your role “viewer” may read but not export. Ask an administrator for the role “exporter”.'
    : rangeProblem.value !== null
      ? 'Choose a shorter range first.'
      : null;
  return (
    <div class="export-button">
      <button
        type="button"
        class="primary"
        // Not `disabled`: the keyboard must also reach the reason.
        aria-disabled={why !== null}
        aria-describedby={why === null ? undefined : 'export-why'}
        aria-haspopup="dialog"
        onClick={() => {
          if (why === null) setOpen(true);
        }}
      >
        <DownloadIcon />
        Export
      </button>
      {why !== null && (
        <span class="tooltip" role="tooltip" id="export-why">
          {why}
        </span>
      )}
      {open && <ExportDialog onClose={() => setOpen(false)} />}
    </div>
  );
}
