import type { Template, TemplatePart } from './rules.js';

/**
 * Parses `"{first_name} {last_name|nick}"` into parts; `{{` and `}}` stand for braces. A string as result
 * states a mistake.
 */
export function parseTemplate(text: string): Template | string {
  const parts: TemplatePart[] = [];
  let literal = '';
  for (let at = 0; at < text.length;) {
    const pair = text.slice(at, at + 2);
    if (pair === '{{' || pair === '}}') {
      literal += pair[0]!;
      at += 2;
    } else if (text[at] === '{') {
      const end = text.indexOf('}', at);
      const named = end < 0 ? '' : text.slice(at + 1, end);
      if (end < 0 || named.includes('{')) return 'has a { without its }; write {{ for a brace';
      const [column, ...or] = named.split('|');
      if ([column!, ...or].some((name) => name.trim() !== name || name === ''))
        return 'has {} without a column name between the braces';
      if (literal !== '') parts.push({ text: literal });
      literal = '';
      parts.push({ column: column!, ...(or.length === 0 ? {} : { or }) });
      at = end + 1;
    } else if (text[at] === '}') {
      return 'has a } without its {; write }} for a brace';
    } else {
      literal += text[at]!;
      at++;
    }
  }
  if (literal !== '') parts.push({ text: literal });
  return parts.length === 0 ? 'is empty' : parts;
}

/** Columns that a template names, in order, with repetitions. */
export const templateColumns = (template: Template): string[] =>
  template.flatMap((part) => ('column' in part ? [part.column, ...(part.or ?? [])] : []));
