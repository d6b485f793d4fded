import type { Cell } from '../entry/fields.ts';
import { bytesText } from '../texts/numbers.ts';

/** Shows a value on one line: its label if it has one, or a text for each way of having no value. */
export function CellText({ cell, maxLength }: { cell: Cell; maxLength: number }) {
  switch (cell.is) {
    case 'null':
      return <span class="no-value">null</span>;
    case 'json-null':
      return (
        <span class="no-value" title="A json value that is null: the column is not empty.">
          null (JSON)
        </span>
      );
    case 'empty':
      return <span class="no-value">empty text</span>;
    case 'unknown':
      return (
        <span class="no-value" title="The source did not send this value: it is unknown, not empty.">
          not sent
        </span>
      );
    case 'large':
      return (
        <span class="no-value" title="The value was too large to be stored; its length and digest are.">
          too large ({bytesText(cell.bytes)})
        </span>
      );
    case 'absent':
      return <span class="no-value">—</span>;
    case 'value': {
      const text = cell.label ?? cell.clock ?? cell.text.replace(/\s+/g, ' ');
      const isLong = text.length > maxLength;
      const isShown = cell.label === undefined && cell.clock === undefined;
      const title = isShown ? undefined : `Stored as ${cell.text.slice(0, 200)}`;
      return (
        <span class={`value value-${cell.label === undefined ? cell.type : 'label'}`} title={title}>
          {isLong ? `${text.slice(0, maxLength)}…` : text}
        </span>
      );
    }
  }
}
