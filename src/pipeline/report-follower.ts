import type { LogicalMessage } from '../pgoutput/reader.js';
import { ruleFor } from '../tracking/match.js';
import { formatTable, type TableName } from '../tracking/names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readCommandReport, reportText } from './command-report.js';
import type { EntryBuilder } from './entry-builder.js';
import { OWN, TRACKING_TABLE, type Dictionary } from './ports.js';

/**
 * Most reports of one transaction that become entries. Otherwise a login that may emit messages could fill
 * the trail with them.
 */
const MAX_REPORTS = 1_000;

/**
 * Writes entries for what the event triggers of the source report about tracked tables. It does so only if
 * the YAML asks for these triggers. Otherwise such a message has no known sender.
 */
export class ReportFollower {
  readonly #config: TrackingConfig;
  readonly #dictionary: Dictionary;
  readonly #builder: EntryBuilder;
  readonly #knownAs: (relationOid: number) => TableName | null;
  /** Reports of the running transaction. */
  readonly #told = new Set<string>();
  readonly #rewritten = new Set<string>();

  /**
   * @param options.knownAs returns the name by which the YAML knows a renamed table; null: its current name
   */
  constructor(options: {
    readonly config: TrackingConfig;
    readonly dictionary: Dictionary;
    readonly builder: EntryBuilder;
    readonly knownAs: (relationOid: number) => TableName | null;
  }) {
    this.#config = options.config;
    this.#dictionary = options.dictionary;
    this.#builder = options.builder;
    this.#knownAs = options.knownAs;
  }

  begin(): void {
    if (this.#told.size > 0) this.#told.clear();
    if (this.#rewritten.size > 0) this.#rewritten.clear();
  }

  /** Tables whose rows the running transaction has rewritten, according to reports. */
  get rewritten(): ReadonlySet<string> {
    return this.#rewritten;
  }

  /**
   * Handles a report.
   *
   * @returns true if an entry was written
   */
  follow({ transactional, content }: LogicalMessage, { seq }: { readonly seq: number }): boolean {
    if (!transactional || !this.#config.source.eventTrigger || this.#told.size > MAX_REPORTS) return false;
    const report = readCommandReport(content);
    if (report === null) return false;
    const known = this.#knownAs(report.relation | 0) ?? report.table;
    const name = [known, report.table].find((one) => ruleFor(this.#config, one) !== undefined);
    if (name === undefined) return false;
    const table = formatTable(name);
    const text = reportText(report);
    const key = `${table} ${text}`;
    // Each partition of a table sends the same report.
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    const isLast = this.#told.size > MAX_REPORTS;
    if (!isLast && report.what === 'rewritten') this.#rewritten.add(table);
    this.#write(seq, isLast ? { name: 'source', text: MORE } : { name: table, text });
    return true;
  }

  #write(seq: number, { name, text }: { readonly name: string; readonly text: string }): void {
    this.#builder.own({
      seq,
      relationId: this.#dictionary.relation(TRACKING_TABLE),
      entityTypeId: this.#dictionary.entityType(OWN),
      actionId: this.#dictionary.action('tracking'),
      entityId: null,
      entityName: name,
      previous: null,
      updated: [text],
    });
  }
}

const MORE = `more than ${MAX_REPORTS} commands are reported by this transaction, and only the first ${MAX_REPORTS} are shown`;
