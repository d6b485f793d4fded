import type { ComponentChildren } from 'preact';
import type { Entry } from '../api-types.ts';
import { changeTexts } from '../entry/changes.ts';
import { fieldsOf, isOnlyNotation, type Cell, type Field } from '../entry/fields.ts';
import { isOwn } from '../entry/own-entries.ts';
import { zone } from '../state/view.ts';
import { humanize } from '../texts/vocabulary.ts';
import { CellText } from '../ui/cell-text.tsx';
import { diffText, type Part } from './text-diff.ts';

const CAPTIONS = {
  insert: 'All fields of the new row',
  update: 'Changed fields',
  delete: 'All fields of the deleted row',
  truncate: 'Fields',
  baseline: 'All fields of the row that existed already',
} as const;

/** Shows every field of an entry before and after the change. Differences are marked by line and word. */
export function FieldTable({ entry }: { entry: Entry }) {
  const fields = fieldsOf(entry, zone.value);
  if (fields.length === 0) {
    return (
      <p class="notice">
        {entry.operation === 'truncate'
          ? `All rows of ${entry.table} were removed by one command. PostgreSQL does not send the single rows.`
          : 'This entry has no stored fields.'}
      </p>
    );
  }
  if (isOwn(entry) && entry.operation === 'insert') {
    return (
      <dl class="facts">
        {fields.map(({ column, updated }) => (
          <div key={column}>
            <dt>{humanize(column)}</dt>
            <dd>
              <CellText cell={updated} maxLength={Infinity} />
            </dd>
          </div>
        ))}
      </dl>
    );
  }
  return (
    <table class="fields">
      <caption>{isOwn(entry) ? 'Before and after' : CAPTIONS[entry.operation]}</caption>
      <thead>
        <tr>
          <th scope="col">Column</th>
          <th scope="col">Previous value</th>
          <th scope="col">Updated value</th>
        </tr>
      </thead>
      <tbody>
        {fields.map((field) => (
          <FieldRow
            key={field.column}
            field={field}
            isOnlyNotation={isOnlyNotation(entry, field)}
            changes={changeTexts(entry, field.column)}
          />
        ))}
      </tbody>
    </table>
  );
}

function FieldRow({
  field,
  isOnlyNotation,
  changes,
}: {
  field: Field;
  isOnlyNotation: boolean;
  changes: readonly string[];
}) {
  const { previous, updated } = field;
  const parts =
    previous.is === 'value' && updated.is === 'value' && isWorthDiffing(previous, updated)
      ? diffText(previous.text, updated.text)
      : null;
  return (
    <tr>
      <th scope="row">{field.column}</th>
      <td class="field-previous">
        {parts === null ? (
          <Side cell={previous} other={updated} mark="removed" />
        ) : (
          <Marked parts={parts} mark="removed" cell={previous} />
        )}
      </td>
      <td class="field-updated">
        {parts === null ? (
          <Side cell={updated} other={previous} mark="added" />
        ) : (
          <Marked parts={parts} mark="added" cell={updated} />
        )}
        {changes.length > 0 && (
          <ul class="field-changes" aria-label="What differs">
            {changes.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        )}
        {isOnlyNotation && <p class="field-note">only formatting or repeated keys changed</p>}
      </td>
    </tr>
  );
}

/** Shows a whole value. It is marked if the other side has a different one. */
function Side({ cell, other, mark }: { cell: Cell; other: Cell; mark: 'removed' | 'added' }) {
  if (cell.is !== 'value') return <CellText cell={cell} maxLength={Infinity} />;
  const isReplaced = other.is !== 'absent' && other.is !== 'unknown';
  const content =
    cell.type === 'json' ? (
      <pre>{cell.text}</pre>
    ) : (
      <span class={`value value-${cell.type}`}>{cell.text}</span>
    );
  return (
    <>
      {cell.label !== undefined && <span class="value-word">{cell.label}</span>}
      {cell.clock !== undefined && <span class="value-word">{cell.clock}</span>}
      {isReplaced ? mark === 'removed' ? <del>{content}</del> : <ins>{content}</ins> : content}
    </>
  );
}

/** Shows a value and marks the parts that differ. */
function Marked({ parts, mark, cell }: { parts: readonly Part[]; mark: 'removed' | 'added'; cell: Cell }) {
  const content = parts
    .filter((part) => part.is === 'same' || part.is === mark)
    .flatMap((part) => (part.is === 'same' ? [part.text] : marksOf(part.text, mark)));
  return cell.is === 'value' && (cell.type === 'json' || cell.text.includes('\n')) ? (
    <pre>{content}</pre>
  ) : (
    <span class="value value-text">{content}</span>
  );
}

/** Marks each line of a text separately and leaves its indentation unmarked. */
function marksOf(text: string, mark: 'removed' | 'added'): ComponentChildren[] {
  const Mark = mark === 'removed' ? 'del' : 'ins';
  return text
    .split(/(^[ \t]+|\n[ \t]*)/)
    .map((piece, index) =>
      piece.trim() === '' && text.trim() !== '' ? piece : <Mark key={index}>{piece}</Mark>,
    );
}

/**
 * Whether to mark differences within two values. That is done for json and longer texts. Short values are
 * easier to read as a whole.
 */
function isWorthDiffing(previous: Cell & { is: 'value' }, updated: Cell & { is: 'value' }): boolean {
  if ([previous, updated].some(({ label, clock }) => label !== undefined || clock !== undefined))
    return false;
  if (previous.type === 'json' && updated.type === 'json') return true;
  return (
    previous.type === 'text' &&
    updated.type === 'text' &&
    Math.min(previous.text.length, updated.text.length) > 16
  );
}
