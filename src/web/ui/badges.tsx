import type { Entry, Kind } from '../api-types.ts';
import { actionText } from '../entry/own-entries.ts';
import { actionTone, KIND_WORDS } from '../texts/vocabulary.ts';
import { AgentIcon, BotIcon, SystemIcon } from './icons.tsx';

const ICONS = { agent: AgentIcon, bot: BotIcon, system: SystemIcon } as const;

/** Agent, bot or system: picture, word and colour. */
export function KindBadge({ kind }: { kind: Kind }) {
  const KindIcon = ICONS[kind];
  return (
    <span class={`badge kind-${kind}`}>
      <KindIcon />
      {KIND_WORDS[kind]}
    </span>
  );
}

/**
 * Who made a change: a name with its kind. Where there is none (nobody is known, or Waltrail wrote the entry itself) the word stands
 * apart from the names and has no badge, since it is no person.
 */
export function Modifier({ modifier: { name, kind } }: Pick<Entry, 'modifier'>) {
  if (kind === null) return <span class="modifier-none">{name}</span>;
  return (
    <>
      <span class="modifier-name">{name}</span>
      <KindBadge kind={kind} />
    </>
  );
}

/** The action category of an entry in words, coloured by its feeling. */
export function ActionBadge({ entry }: { entry: Entry }) {
  return <span class={`action action-${actionTone(entry.action)}`}>{actionText(entry)}</span>;
}
