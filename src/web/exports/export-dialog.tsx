import { useState } from 'preact/hooks';
import type { ExportFormat, Problem } from '../api-types.ts';
import { problemFrom } from '../http/client.ts';
import { createExport } from '../state/exports.ts';
import { filterNames, total } from '../state/facets.ts';
import { session } from '../state/session.ts';
import { remember, remembered } from '../state/storage.ts';
import { filterBody } from '../state/url-state.ts';
import { show, view, zone } from '../state/view.ts';
import { filtersText, FORMAT_TEXTS } from '../texts/export-texts.ts';
import { entriesText } from '../texts/numbers.ts';
import { rangeText } from '../time/ranges.ts';
import { localZone } from '../time/zone.ts';
import { CloseIcon } from '../ui/icons.tsx';
import { Modal } from '../ui/modal.tsx';
import { ProblemBox } from '../ui/problem-box.tsx';

/** Asks the reader for the format and the zone, and requests the export. */
export function ExportDialog({ onClose }: { onClose: () => void }) {
  const [format, setFormat] = useState<ExportFormat>(() => formatOf(remembered('format')));
  const [timezone, setTimezone] = useState(zone.peek());
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [key] = useState(randomKey);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      remember('format', format);
      // The key contains the choices: a request with other choices is another export, and not a repetition.
      await createExport({ format, timezone, key: `${key}.${format}.${timezone.replace(/[^\w]/g, '-')}` });
      onClose();
      show({ panel: 'exports' });
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };

  const zones = [...new Set(['UTC', localZone(), session.value?.timezone ?? 'UTC', zone.value])];
  return (
    <Modal shape="box" labelledBy="export-title" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <header class="box-head">
          <h2 id="export-title">Export entries</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
            <CloseIcon />
          </button>
        </header>
        <dl class="facts">
          <div>
            <dt>Range</dt>
            <dd>
              {rangeText(view.value.range, zone.value)} <span class="muted">({zone.value})</span>
            </dd>
          </div>
          <div>
            <dt>Filters</dt>
            <dd>{filtersText(filterBody(view.value, {}), filterNames)}</dd>
          </div>
          {total.value !== null && (
            <div>
              <dt>Size</dt>
              <dd>about {entriesText(total.value)}, as of now</dd>
            </div>
          )}
        </dl>
        <fieldset class="formats">
          <legend>Format</legend>
          {(Object.keys(FORMAT_TEXTS) as ExportFormat[]).map((name) => (
            <label key={name} class="format">
              <input
                type="radio"
                name="format"
                value={name}
                checked={format === name}
                onChange={() => setFormat(name)}
              />
              <span>
                <strong>{FORMAT_TEXTS[name].name}</strong>
                <span class="help">{FORMAT_TEXTS[name].help}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <label class="field-label" for="export-zone">
          Time zone of the dates in the file
        </label>
        <select
          id="export-zone"
          value={timezone}
          onChange={(event) => setTimezone(event.currentTarget.value)}
        >
          {zones.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        {problem !== null && <ProblemBox problem={problem} />}
        <footer class="box-foot">
          <p class="help">The server makes the file. You may leave the page and download the file later.</p>
          <button type="button" class="bordered" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" aria-busy={busy}>
            {busy ? 'Requesting…' : 'Start export'}
          </button>
        </footer>
      </form>
    </Modal>
  );
}

function formatOf(name: string | null): ExportFormat {
  return name === 'csv' || name === 'ndjson' ? name : 'xlsx';
}

/** Returns a random key. `randomUUID` is not used, because browsers offer it under HTTPS only. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
