import type { Entry, Kind } from '../api-types.ts';
import { actionText } from '../entry/own-entries.ts';
import { ACTING_AS_SENTENCE, actionTone, KIND_TEXTS } from '../texts/vocabulary.ts';
import { AgentIcon, BotIcon, SystemIcon } from './icons.tsx';

const ICONS = { agent: AgentIcon, bot: BotIcon, system: SystemIcon } as const;

/** Shows the kind of a modifier (agent, bot or system) as icon, text and colour. */
export function KindBadge({ kind }: { kind: Kind }) {
  const KindIcon = ICONS[kind];
  return (
    <span class={`badge kind-${kind}`}>
      <KindIcon />
      {KIND_TEXTS[kind]}
    </span>
  );
}

/**
 * Shows the modifier of an entry: a name with its kind. An entry may have no modifier: it is unattributed, or
 * Waltrail wrote it. The text then looks different from a name and has no badge.
 */
export function Modifier({
  modifier: { name, kind },
}: {
  readonly modifier: Pick<Entry['modifier'], 'name' | 'kind'>;
}) {
  if (kind === null) return <span class="modifier-none">{name}</span>;
  return (
    <>
      <span class="modifier-name">{name}</span>
      <KindBadge kind={kind} />
    </>
  );
}

/** Shows in whose name the modifier of an entry acted. Shows nothing if it was their own. */
export function ActingAs({ modifier: { actingAs } }: { readonly modifier: Entry['modifier'] }) {
  if (actingAs === undefined) return null;
  return (
    <span class="acting-as" title={ACTING_AS_SENTENCE}>
      acting as <span class="modifier-name">{actingAs.name}</span>
    </span>
  );
}

/** Shows the text for the action of an entry, coloured by its tone. */
export function ActionBadge({ entry }: { entry: Entry }) {
  return <span class={`action action-${actionTone(entry.action)}`}>{actionText(entry)}</span>;
}
