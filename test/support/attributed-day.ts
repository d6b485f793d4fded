import { startCapture } from '../../src/capture/capture.js';
import { draftYaml } from '../../src/init/draft.js';
import { silentLog } from '../../src/log.js';
import { connect } from '../../src/pg/connect.js';
import { parseConfig } from '../../src/tracking/load.js';
import { audited, sharesOf, withColumnsAlone, type Shares } from '../schemas/attribution.ts';
import { seed } from '../schemas/seed.ts';
import { simulate, type Deed } from '../schemas/simulate.ts';
import { schemaSql, truthOf, type SchemaName, type Truth } from '../schemas/truth.ts';
import type { World } from '../schemas/world.ts';
import { applyTracking, readEntries, streaming, untilCaughtUp } from './capture.ts';
import { freshDatabase, type TestDatabase } from './database.ts';

/** How the changes of a day are attributed by one YAML. */
export interface AttributedDay {
  readonly all: Shares;
  /** Shares among transactions in which the application wrote an audit row. */
  readonly audited: Shares;
}

const HISTORY = 120;
const TRANSACTIONS = 100;

/**
 * Captures a simulated day on one of the schemas twice at once: by the unchanged YAML of `waltrail init`, and
 * by a YAML that knows only columns such as `updated_by`. Earlier days have filled the statistics.
 *
 * @param options.setting as {@link simulate} takes it; a function of the database reads it
 * @param options.audited whether only tables that the application audits are changed
 */
export async function attributedDay(
  name: SchemaName,
  options: { readonly seed: number; readonly setting?: string; readonly audited?: boolean },
): Promise<{ readonly before: AttributedDay; readonly after: AttributedDay; readonly yaml: string }> {
  const { setting } = options;
  await using database = await freshDatabase('empty');
  await database.query(await schemaSql(name));
  if (setting !== undefined)
    await database.query(`create function who_is_at_work() returns text language sql stable
      return current_setting('${setting}', true)`);
  const truth = await truthOf(name);
  const world = await seed(database, { truth, seed: options.seed });
  const day = {
    ...(setting === undefined ? {} : { setting }),
    ...(options.audited === true ? { tables: auditedTables(truth) } : {}),
  };
  await simulate(database, world, { ...day, seed: options.seed + 1, transactions: HISTORY });
  await database.query('analyze');
  const yaml = await drafted(database.url);
  await using after = await captured(database, yaml);
  await using before = await captured(database, withColumnsAlone(yaml, `before_${database.name}`));
  const deeds = await simulate(database, world, {
    ...day,
    seed: options.seed + 2,
    transactions: TRANSACTIONS,
  });
  return {
    before: await before.compared(deeds, world),
    after: await after.compared(deeds, world),
    yaml,
  };
}

/** Returns the tables that have an audit row in the same transaction for every change. */
const auditedTables = ({ witness, tables }: Truth): readonly string[] =>
  tables.filter((table) =>
    witness.some(({ of }) =>
      of.some(
        (one) =>
          one.table === table && one.on.length === 3 && one.isLate !== true && one.column === undefined,
      ),
    ),
  );

async function drafted(url: string): Promise<string> {
  const client = await connect({ url, purpose: 'init', side: 'source' });
  try {
    return (await draftYaml(client, { progress: () => undefined })).text;
  } finally {
    await client.end();
  }
}

interface Captured extends AsyncDisposable {
  /** Compares the entries with the changes, once the trail has all of them. */
  compared(deeds: readonly Deed[], world: World): Promise<AttributedDay>;
}

async function captured(source: TestDatabase, text: string): Promise<Captured> {
  const trail = await freshDatabase('trail');
  const config = parseConfig({
    file: 'init.yaml',
    text,
    environment: { WALTRAIL_SOURCE_URL: source.url, WALTRAIL_TRAIL_URL: trail.url },
  });
  await applyTracking(config);
  const capture = startCapture({ config, log: silentLog });
  const dispose = async (): Promise<void> => {
    await capture.stop();
    await trail[Symbol.asyncDispose]();
  };
  await streaming(capture).catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return {
    compared: async (deeds, world) => {
      await untilCaughtUp(source, trail);
      const entries = await readEntries(trail);
      const people = config.modifiers.map(({ called, table }) => ({ called, table }));
      const given = { entries, world, people };
      return {
        all: sharesOf({ ...given, deeds }),
        audited: sharesOf({ ...given, deeds: audited(deeds) }),
      };
    },
    [Symbol.asyncDispose]: dispose,
  };
}
