import type { Export, ExportFormat, ExportState, Rung } from '../api-types.ts';
import { humanize, RUNG_TEXTS, vocabularyText } from './vocabulary.ts';

export const FORMAT_TEXTS: Readonly<Record<ExportFormat, { readonly name: string; readonly help: string }>> =
  {
    xlsx: { name: 'Excel', help: 'A workbook (.xlsx) with a cover sheet, typed dates and filters.' },
    csv: { name: 'CSV', help: 'Plain text with one line for each entry, for other programs.' },
    ndjson: { name: 'NDJSON', help: 'One JSON object for each line, with every field and exact values.' },
  };

export const EXPORT_STATE_TEXTS: Readonly<Record<ExportState, string>> = {
  queued: 'Waiting',
  running: 'Running',
  ready: 'Ready',
  failed: 'Failed',
  cancelled: 'Cancelled',
  expired: 'Expired',
};

const FILTER_TEXTS: readonly (readonly [keyof Export['filters'], string])[] = [
  ['modifier', 'modified by'],
  ['actingAs', 'acting as'],
  ['action', 'action'],
  ['entityType', 'type'],
  ['rung', 'modifier'],
  ['entity', 'entity id'],
  ['tenant', 'tenant'],
  ['q', 'text'],
];

/** Describes the filters of an export: `Modified by Dana Levi or 12; action Block`. */
export function filtersText(
  filters: Export['filters'],
  nameOf: { readonly modifier: (key: string) => string; readonly action: (action: string) => string },
): string {
  const parts = FILTER_TEXTS.flatMap(([name, word]) => {
    const value = filters[name];
    const values = value === undefined ? [] : typeof value === 'string' ? [value] : value;
    if (values.length === 0) return [];
    const texts = values.map((text) => {
      if (name === 'modifier' || name === 'actingAs') return nameOf.modifier(text);
      if (name === 'action') return vocabularyText(text, nameOf.action(text));
      if (name === 'entityType') return humanize(text);
      if (name === 'rung') return RUNG_TEXTS[text as Rung].short;
      return name === 'q' ? `“${text}”` : text;
    });
    return [`${word} ${texts.join(' or ')}`];
  });
  const text = parts.join('; ');
  return text === '' ? 'All entries' : text[0]!.toUpperCase() + text.slice(1);
}
