import type { Export, ExportFormat, ExportState } from '../api-types.ts';
import { humanize } from '../words.ts';

export const FORMAT_WORDS: Readonly<Record<ExportFormat, { readonly name: string; readonly help: string }>> =
  {
    xlsx: { name: 'Excel', help: 'A workbook (.xlsx) with a cover sheet, typed dates and filters.' },
    csv: { name: 'CSV', help: 'Plain text with one line an entry, for other programs.' },
    ndjson: { name: 'NDJSON', help: 'One JSON object a line, with every field and exact values.' },
  };

export const STATE_WORDS: Readonly<Record<ExportState, string>> = {
  queued: 'Waiting',
  running: 'Running',
  ready: 'Ready',
  failed: 'Failed',
  cancelled: 'Cancelled',
  expired: 'Expired',
};

const FILTER_WORDS: readonly (readonly [keyof Export['filters'], string])[] = [
  ['modifier', 'modified by'],
  ['action', 'action'],
  ['entityType', 'type'],
  ['entity', 'entity id'],
  ['tenant', 'tenant'],
  ['q', 'text'],
];

/** The filters of an export in words: `modified by Dana Levi or 12; action Block`. */
export function filtersText(filters: Export['filters'], modifierName: (key: string) => string): string {
  const parts = FILTER_WORDS.flatMap(([name, word]) => {
    const value = filters[name];
    const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
    if (values.length === 0) return [];
    const texts = values.map((text) => {
      if (name === 'modifier') return modifierName(text);
      if (name === 'action' || name === 'entityType') return humanize(text);
      return name === 'q' ? `“${text}”` : text;
    });
    return [`${word} ${texts.join(' or ')}`];
  });
  const text = parts.join('; ');
  return text === '' ? 'All entries' : text[0]!.toUpperCase() + text.slice(1);
}
