import type { Cell } from '../entry/fields.ts';
import { bytesText } from '../texts/numbers.ts';

/** Shows a value on one line: its label if it has one. Each kind of cell without a value has its own text. */
export function CellText({ cell, maxLength }: { cell: Cell; maxLength: number }) {
  switch (cell.is) {
    case 'null':
      return <span class="no-value">null</span>;
    case 'json-null':
      return (
        <span class="no-value" title="The JSON value null. The column is not empty.">
          null (JSON)
        </span>
      );
    case 'empty':
      return <span class="no-value">empty text</span>;
    case 'unknown':
      return (
        <span class="no-value" title="The source did not send this value. It is unknown, not empty.">
          not sent
        </span>
      );
    case 'large':
      return (
        <span
          class="no-value"
          title="The value was too large to be stored. Its length and digest were stored."
        >
          too large ({bytesText(cell.bytes)})
        </span>
      );
    case 'absent':
      return <span class="no-value">—</span>;
    case 'value': {
      const text = cell.label ?? cell.clock ?? cell.text.replace(/\s+/g, ' ');
      const isLong = text.length > maxLength;
      const isShown = cell.label === undefined && cell.clock === undefined;
      const title = isShown ? undefined : `Stored as ${beginningOf(cell.text, 200)}`;
      return (
        <span class={`value value-${cell.label === undefined ? cell.type : 'label'}`} title={title}>
          {isLong ? `${beginningOf(text, maxLength)}…` : text}
        </span>
      );
    }
  }
}

/** Returns the first characters of a text, without half of a surrogate pair at the end. */
const beginningOf = (text: string, length: number): string =>
  text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
