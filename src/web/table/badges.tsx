import type { Kind } from '../api-types.ts';
import { AgentIcon, BotIcon, SystemIcon } from '../shell/icons.tsx';
import { actionTone, humanize, KIND_WORDS } from '../words.ts';

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

/** An action category in words, coloured by its feeling. */
export function ActionBadge({ action }: { action: string }) {
  return <span class={`action action-${actionTone(action)}`}>{humanize(action)}</span>;
}
