import { quoteLiteral } from '../pg/quote.js';
import { toConfig } from './normalize.js';
import { Places } from './places.js';
import { TrackingFile } from './schema.js';
import type { TrackingConfig } from './rules.js';

/**
 * Prefix of the transactional logical message that marks the position of the WAL where a configuration
 * begins. The message contains the configuration's digest.
 */
export const CONFIGURATION_PREFIX = 'waltrail.configuration';

/**
 * Returns the statement that marks the position where a configuration begins. It runs in the transaction that
 * prepares the source.
 */
export const configurationSql = (digest: string): string =>
  `select pg_catalog.pg_logical_emit_message(true, ${quoteLiteral(CONFIGURATION_PREFIX)}, ${quoteLiteral(digest)})`;

/**
 * Restores a configuration from its document in the trail. The document lacks source, trail, reports and
 * signing keys; these come from `current`. Undefined if this version of Waltrail does not understand the
 * document.
 */
export function restoreConfig(document: string, current: TrackingConfig): TrackingConfig | undefined {
  let data: unknown;
  try {
    data = JSON.parse(document);
  } catch {
    return undefined;
  }
  if (typeof data !== 'object' || data === null) return undefined;
  // The document has no URLs, but the schema requires them.
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

/**
 * Returns the top-level parts in which two documents differ, as JSON texts. `before` is null if there is no
 * earlier document.
 */
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
 * Splits a document into parts. Each table is a part of its own, so that a change of one rule shows that rule
 * alone.
 */
function partsOf(document: string | null): Parts {
  if (document === null) return {};
  const { tables = {}, ...rest } = JSON.parse(document) as Parts & { readonly tables?: Parts };
  return {
    ...rest,
    ...Object.fromEntries(Object.entries(tables).map(([name, rule]) => [`tables.${name}`, rule])),
  };
}
