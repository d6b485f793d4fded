import { planTracking } from '../tracking/plan.js';
import type { Catalog } from '../tracking/catalog.js';
import { compareConfigurations } from '../tracking/compare.js';
import type { ConfigurationChange } from '../tracking/configuration-change.js';
import { restoreConfig } from '../tracking/configuration.js';
import { sameTables } from '../tracking/configuration-tables.js';
import { listNames } from '../tracking/list-names.js';
import { lookupName, nameRules, tablesByLookup } from '../tracking/lookups.js';
import { ruleText } from '../tracking/rule-text.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { unpublishedBy } from '../tracking/unpublished.js';
import { readConfiguration, readNamesRead, type StoredConfiguration } from '../trail/write/configuration.js';
import { hasTrail } from '../trail/checkpoint-slot.js';
import type { Answer } from './command.js';
import type { Settings } from '../settings.js';
import { makePlan, withSource } from './source-plan.js';
import { withTrail } from './trail-client.js';

/**
 * `waltrail reload --dry-run`: prints what the file would change. Changes nothing, and asks no daemon.
 * Resolves with the exit code. Throws what loading the file and connecting to either side throw.
 */
export async function dryRun(settings: Settings, answer: (answer: Answer) => void): Promise<number> {
  return withSource(settings, async (source) => {
    const { config, catalog } = await makePlan(source);
    const { stored, read } = await withTrail(settings, {
      purpose: 'reload',
      work: async (client) =>
        (await hasTrail(client))
          ? {
              stored: await readConfiguration(client),
              read: await readNamesRead(client, tablesByLookup(config)),
            }
          : { stored: undefined, read: new Map<string, string>() },
    });
    answer(outlookAnswer(outlookOf({ config, catalog, stored, read })));
    return 0;
  });
}

/** The effects that a file would have. */
interface Outlook {
  /**
   * When the file takes effect.
   * `in effect`: the trail is already written by it. `first`: no configuration is in effect to compare with.
   * `now`: a reload is enough. `apply`: capture keeps the present configuration until `waltrail apply` has
   * run.
   */
  readonly takesEffect: 'in effect' | 'first' | 'now' | 'apply';
  readonly changes: readonly ConfigurationChange[];
  /** Lookup tables whose rows will all be read for names. */
  readonly namesRead: readonly string[];
  /** What apply changes in the publication. */
  readonly publication: { readonly enter: readonly string[]; readonly leave: readonly string[] };
}

/** @param options.stored the configuration in effect; undefined if there is none */
function outlookOf(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly stored: StoredConfiguration | undefined;
  readonly read: ReadonlyMap<string, string>;
}): Outlook {
  const { config, catalog, stored, read } = options;
  const old = stored === undefined ? undefined : restoreConfig(stored.document, config);
  const { steps } = planTracking({ config, catalog });
  const enter = steps.flatMap(({ kind, tables }) =>
    kind === 'publication_add' || kind === 'publication_create' ? tables : [],
  );
  const known = {
    namesRead: [
      ...new Set(
        nameRules(config)
          .filter((rule) => read.get(lookupName(rule)) !== ruleText(config, rule))
          .map(({ table }) => table),
      ),
    ],
    publication: { enter, leave: unpublishedBy(steps) },
  };
  if (old === undefined) return { takesEffect: 'first', changes: [], ...known };
  const isInEffect = stored?.digest === config.definition.digest;
  return {
    takesEffect: isInEffect ? 'in effect' : sameTables(old, config, catalog) ? 'now' : 'apply',
    changes: isInEffect ? [] : compareConfigurations({ old, config, catalog }),
    ...known,
  };
}

const EFFECTS: Readonly<Record<Outlook['takesEffect'], string>> = {
  'in effect': 'The tracking configuration of the file is already in effect.',
  first: 'No configuration is in effect yet to compare with: the first start takes this file.',
  now: 'Takes effect with the reload: no table enters or leaves the publication.',
  apply: 'Takes effect at the position that waltrail apply marks. Until then capture works as before.',
};

function outlookAnswer(outlook: Outlook): Answer {
  const { takesEffect, changes, namesRead, publication } = outlook;
  const exposing = changes.filter(({ exposes }) => exposes);
  const others = changes.filter(({ exposes }) => !exposes);
  const lines = [
    ...(exposing.length === 0
      ? []
      : ['MORE OF THESE VALUES WILL BE STORED THAN BEFORE', ...exposing.map(changeText)]),
    ...(others.length === 0 ? [] : ['Differences', ...others.map(changeText)]),
    EFFECTS[takesEffect],
    ...(takesEffect === 'in effect' || changes.length > 0 || takesEffect === 'first'
      ? []
      : ['No table of the source is tracked differently.']),
    ...(namesRead.length === 0 ? [] : [`Names are read from every row of ${listNames(namesRead)}.`]),
    publicationText(publication),
    'Nothing was changed. The keys source, trail and reports are not compared, because the trail does not store them.',
  ];
  return { text: `${lines.join('\n')}\n`, data: outlook };
}

const changeText = ({ aspect, tables, says }: ConfigurationChange): string =>
  `- ${tables.length === 0 ? '' : `${listNames(tables)}: `}${aspect}: ${says}`;

function publicationText({ enter, leave }: Outlook['publication']): string {
  const parts = [
    ...(enter.length === 0 ? [] : [`adds ${listNames(enter)} to the publication`]),
    ...(leave.length === 0
      ? []
      : [`takes ${listNames(leave)} out of ${enter.length === 0 ? 'the publication' : 'it'}`]),
  ];
  return parts.length === 0
    ? 'waltrail apply leaves the publication as it is.'
    : `waltrail apply ${parts.join(' and ')}.`;
}
