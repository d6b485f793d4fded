import { quoteLiteral } from '../pg/quote.js';
import { toConfig } from './normalize.js';
import { Places } from './places.js';
import { TrackingFile } from './schema.js';
import type { TrackingConfig } from './rules.js';

/**
 * Prefix of the transactional logical message that says at which position of the WAL a configuration begins.
 * Its content is the digest of the configuration.
 */
export const CONFIGURATION_PREFIX = 'waltrail.configuration';

/**
 * The statement that says, in the transaction that prepares the source, from where on a configuration holds.
 */
export const configurationSql = (digest: string): string =>
  `select pg_catalog.pg_logical_emit_message(true, ${quoteLiteral(CONFIGURATION_PREFIX)}, ${quoteLiteral(digest)})`;

/**
 * Makes the configuration that a document of the trail describes. What is not part of the document (source,
 * trail, reports, keys) is taken from `current`. Undefined if this version of Waltrail does not understand
 * the document.
 */
export function restoreConfig(document: string, current: TrackingConfig): TrackingConfig | undefined {
  let data: unknown;
  try {
    data = JSON.parse(document);
  } catch {
    return undefined;
  }
  if (typeof data !== 'object' || data === null) return undefined;
  // The URLs are not kept, and the schema asks for some.
  const parsed = TrackingFile.safeParse({
    ...data,
    source: { name: 'restored', url: 'postgres://restored' },
    trail: { url: 'postgres://restored' },
  });
  if (!parsed.success) return undefined;
  const { source, trail, reports } = current;
  const restored = toConfig(parsed.data, new Places(null));
  const messages = { ...restored.messages, signingKeys: current.messages.signingKeys };
  return { ...restored, messages, source, trail, reports };
}

/** Returns the top-level parts in which two documents differ, as JSON texts; null: there are none. */
export function documentDifference(
  before: string | null,
  after: string,
): { readonly before: string | null; readonly after: string } {
  const [old, now] = [partsOf(before), partsOf(after)];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const different = keys.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(now[key]));
  const only = (parts: Parts): string =>
    JSON.stringify(Object.fromEntries(different.flatMap((key) => (key in parts ? [[key, parts[key]]] : []))));
  return { before: before === null ? null : only(old), after: only(now) };
}

type Parts = Readonly<Record<string, unknown>>;

/**
 * The parts of a document, with each table as a part of its own: a change of one rule shows that rule alone.
 */
function partsOf(document: string | null): Parts {
  if (document === null) return {};
  const { tables = {}, ...rest } = JSON.parse(document) as Parts & { readonly tables?: Parts };
  return {
    ...rest,
    ...Object.fromEntries(Object.entries(tables).map(([name, rule]) => [`tables.${name}`, rule])),
  };
}
