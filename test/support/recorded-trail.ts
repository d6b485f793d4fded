import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import pg from 'pg';
import { freshDatabase, type TestDatabase } from './database.ts';

/** What the API answered when the trail was recorded; see test/fixtures/record-trail.mjs. */
export interface RecordedAnswers {
  /** The range of all questions. */
  readonly from: string;
  readonly to: string;
  /** Secrets by token name. */
  readonly tokens: Readonly<
    Record<'viewer' | 'exporter' | 'admin' | 'tenant' | 'revoked' | 'expired', string>
  >;
  readonly questions: readonly RecordedQuestion[];
  /** The requested exports, with the number of their entries and the digest of their file. */
  readonly files: readonly {
    readonly body: Readonly<Record<string, unknown>> & { readonly format: string };
    readonly entries: number;
    readonly sha256: string;
  }[];
}

export interface RecordedQuestion {
  /** Name of the token. */
  readonly as: keyof RecordedAnswers['tokens'];
  /** Below `/v1/`. */
  readonly path: string;
  readonly status: number;
  readonly body: string;
}

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');
/** Roles belong to the whole server; the dump only grants to them. */
const ROLES = ['waltrail_reader', 'waltrail_writer', 'waltrail_api', 'waltrail_keeper'];

/**
 * Creates a database with a trail as an older version left it, not migrated, and returns what that version
 * answered.
 */
export async function recordedTrail(
  name: 'trail-0.1',
): Promise<{ readonly trail: TestDatabase; readonly answers: RecordedAnswers }> {
  const [dump, answers] = await Promise.all(
    ['dump.sql.gz', 'answers.json.gz'].map(async (file) =>
      (await promisify(gunzip)(await readFile(path.join(FIXTURES, name, file)))).toString(),
    ),
  );
  const trail = await freshDatabase('empty');
  // On a separate connection, because the dump changes the settings of its session.
  const client = new pg.Client(trail.url);
  await client.connect();
  try {
    for (const role of ROLES) await createRole(client, role);
    await client.query(dump!);
    // Memberships of roles belong to the server too.
    await client.query('select trail.grant_roles()');
  } finally {
    await client.end();
  }
  return { trail, answers: JSON.parse(answers!) as RecordedAnswers };
}

/** Creates a role. Another worker of the run may create the same role at the same time. */
async function createRole(client: pg.Client, role: string): Promise<void> {
  await client.query(/* sql */ `
    do $$ begin create role ${role} nologin; exception when duplicate_object or unique_violation then null; end $$`);
}
