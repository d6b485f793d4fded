import { explainMadeUp, explainStored } from '../explain/explain.js';
import { explanationText } from '../explain/explain-text.js';
import type { Operation } from '../tracking/rules.js';
import { defineCommand, usageError, type Command } from './command.js';
import { loadOwnConfig } from './config.js';

const OPERATIONS: readonly Operation[] = ['insert', 'update', 'delete', 'truncate'];

/** `waltrail explain`: prints which keys of the YAML decide what an entry says. */
export const explain: Command = defineCommand({
  usage: "TABLE 'JSON' [--operation NAME] [--old 'JSON'] | --entry ID",
  help: `Prints which key of the YAML gives an entry its entity, name, action, modifier, labels and masks, with file, line and
column. TABLE 'JSON' is a made-up change, such as public.agents '{"blocked": true}'. No row is read. A secret is never
printed, not even one that is in the JSON.

  --operation NAME   insert, update (the default), delete or truncate
  --old 'JSON'       for an update, values of the row before it; a column that is missing here had a different value
  --entry ID         an entry of the trail, explained by the configuration that was in effect for it
`,
  options: {
    operation: { type: 'string' },
    old: { type: 'string' },
    entry: { type: 'string' },
  },
  arguments: { least: 0, most: 2 },
  json: true,
  run: async ({ values, arguments: [table, json], settings, answer }) => {
    const { entry, operation = 'update', old } = values;
    const isMadeUp = values.operation !== undefined || old !== undefined || table !== undefined;
    if ((entry !== undefined) === isMadeUp)
      throw usageError("waltrail explain takes TABLE and 'JSON', or --entry ID.");
    if (!isOperation(operation))
      throw usageError(`waltrail explain --operation must be one of ${OPERATIONS.join(', ')}.`);
    if (entry === undefined && (table === undefined || (json === undefined && operation !== 'truncate')))
      throw usageError("waltrail explain takes TABLE and 'JSON', or --entry ID.");
    if (old !== undefined && operation !== 'update')
      throw usageError(
        'waltrail explain --old is for updates only: for other operations the JSON is the row itself.',
      );
    const config = loadOwnConfig(settings());
    const explained =
      entry === undefined
        ? await explainMadeUp({ config, table: table!, operation, values: json ?? '{}', old: old ?? '{}' })
        : await explainStored({ config, id: entry });
    answer({ text: explanationText(explained), data: explained });
    return 0;
  },
});

const isOperation = (text: string): text is Operation => (OPERATIONS as readonly string[]).includes(text);
