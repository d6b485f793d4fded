import { applyTracking, testConfig } from './capture.ts';
import { daemonGround, type DaemonGround } from './daemon.ts';
import { freshDatabase, type TestDatabase } from './database.ts';
import { until } from './until.ts';

const TABLES = `tables: { public.notes: { entity: note, name: "{body}", modifier: author } }`;

/** A source with a table of notes, and what daemons in their own processes need to capture it. */
export interface NotesGround extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly daemons: DaemonGround;
}

/** Sends a request to a daemon. */
export type Call = (route: string, init?: RequestInit) => Promise<Response>;

export async function notesGround(options: {
  readonly trail: TestDatabase;
  /** By default that of the trail's owner. */
  readonly trailUrl?: string;
  /** Further keys of the YAML below `trail`: `, key: value`. */
  readonly trailYaml?: string;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<NotesGround> {
  const { trail, trailUrl = trail.url, trailYaml = '', environment = {} } = options;
  const source = await freshDatabase('empty');
  await source.query('create table notes (id int primary key, body text, author text)');
  await applyTracking(testConfig({ source, trail, yaml: TABLES }));
  const daemons = await daemonGround({
    sourceUrl: source.url,
    trailUrl,
    environment,
    yaml: `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}"${trailYaml} }
${TABLES}`,
  });
  return {
    source,
    daemons,
    [Symbol.asyncDispose]: async () => {
      await daemons[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

export const caller =
  (base: string, token: string): Call =>
  (route, init = {}) =>
    fetch(`${base}${route}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });

/** Writes the first note once the daemon would capture it, and waits until the API has it. */
export async function firstNote(options: {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  readonly call: Call;
  readonly body: string;
}): Promise<void> {
  const { source, trail, call, body } = options;
  await until(
    'the trail to begin',
    async () => (await trail.query('select from trail.checkpoint')).length === 1,
  );
  await source.query(`insert into notes values (1, $1, 'Dana')`, [body]);
  await until(
    'the entry in the API',
    async () => ((await (await call('/v1/entries')).json()) as { items: unknown[] }).items.length === 1,
  );
}

export async function untilReady(call: Call, id: string): Promise<void> {
  await until(
    'the export',
    async () => ((await (await call(`/v1/exports/${id}`)).json()) as { state: string }).state === 'ready',
  );
}
