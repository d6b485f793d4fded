import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CaptureStatus } from '../../pipeline/capture-status.js';
import type { TrailHead } from '../../trail/read/entry.js';
import type { GapCounts } from '../../trail/read/gap-list.js';
import type { ExportQueueStatus } from '../../exports/queue.js';
import type { ExportFigures } from './export-figures.js';

export interface MetricsSources {
  /** Null if this process does not capture. */
  readonly capture: () => CaptureStatus | null;
  readonly head: () => Promise<TrailHead>;
  readonly gaps: () => Promise<GapCounts>;
  readonly exports: () => Promise<ExportFigures>;
  /** Null if this process does not use the queue. */
  readonly queue: () => ExportQueueStatus | null;
  readonly openStreams: () => number;
}

/** The values at one scrape. A value that could not be read is undefined, and its series are absent. */
interface Snapshot {
  readonly capture: CaptureStatus | null;
  readonly head: TrailHead | undefined;
  readonly gaps: GapCounts | undefined;
  readonly exports: ExportFigures | undefined;
  readonly queue: ExportQueueStatus | null;
  readonly openStreams: number;
}

interface Figure {
  readonly name: string;
  readonly help: string;
  readonly type: typeof Counter | typeof Gauge;
  readonly value: (now: Snapshot) => number | null | undefined;
}

const STATES = [
  'starting',
  'standby',
  'streaming',
  'reconnecting',
  'stopped',
] as const satisfies readonly CaptureStatus['state'][];
const seconds = (ms: number | null | undefined): number | null => (ms == null ? null : ms / 1000);

const FIGURES: readonly Figure[] = [
  {
    name: 'waltrail_capture_transactions_total',
    help: 'Source transactions with tracked changes since this process started.',
    type: Counter,
    value: (now) => now.capture?.transactions,
  },
  {
    name: 'waltrail_capture_changes_total',
    help: 'Row changes received since this process started.',
    type: Counter,
    value: (now) => now.capture?.changes,
  },
  {
    name: 'waltrail_capture_entries_total',
    help: 'Entries stored since this process started.',
    type: Counter,
    value: (now) => now.capture?.entries,
  },
  {
    name: 'waltrail_capture_ignored_total',
    help: 'Updates of ignored columns only, since this process started.',
    type: Counter,
    value: (now) => now.capture?.ignored,
  },
  {
    name: 'waltrail_capture_troubled_tables',
    help: 'Troubles with named tables: not captured, previous values unknown, or writes of the application refused.',
    type: Gauge,
    value: (now) => now.capture?.troubleCount,
  },
  {
    name: 'waltrail_capture_messages_unread_total',
    help: 'Logical messages that should name who made changes, but were not understood or not signed, since this process started.',
    type: Counter,
    value: (now) => now.capture?.messagesUnread,
  },
  {
    name: 'waltrail_capture_tenants_unknown_total',
    help: 'Entries without tenant, since this process started. Their tenant is in a row of another table, which is not known.',
    type: Counter,
    value: (now) => now.capture?.tenantsUnknown,
  },
  {
    name: 'waltrail_capture_configuration_waiting',
    help: '1 if the configuration in the file is not in effect yet, else 0.',
    type: Gauge,
    value: (now) => now.capture && (now.capture.configuration.waitsFor === null ? 0 : 1),
  },
  {
    name: 'waltrail_capture_configurations_ignored_total',
    help: 'Messages that announced another configuration than that in the file, since this process started.',
    type: Counter,
    value: (now) => now.capture?.configuration.ignored,
  },
  {
    name: 'waltrail_capture_lag_bytes',
    help: 'Bytes of WAL between the position of the source and the checkpoint.',
    type: Gauge,
    value: (now) => now.capture?.lagBytes,
  },
  {
    name: 'waltrail_capture_latency_seconds',
    help: 'Time from the commit in the source to visibility in the trail, for the last batch.',
    type: Gauge,
    value: (now) => seconds(now.capture?.latencyMs),
  },
  {
    name: 'waltrail_trail_entries',
    help: 'Entries stored since the trail began.',
    type: Gauge,
    value: (now) => now.head?.entries,
  },
  {
    name: 'waltrail_trail_last_commit_timestamp_seconds',
    help: 'Commit time of the last stored source transaction.',
    type: Gauge,
    value: (now) =>
      now.head?.lastCommittedAt == null ? null : seconds(Date.parse(now.head.lastCommittedAt)),
  },
  {
    name: 'waltrail_export_queue_up',
    help: '1 if the queue of exports works, else 0.',
    type: Gauge,
    value: (now) => (now.queue === null ? null : Number(now.queue.works)),
  },
  {
    name: 'waltrail_export_duration_seconds_sum',
    help: 'Time that all ready exports took, from start to file.',
    type: Gauge,
    value: (now) => now.exports?.seconds.sum,
  },
  {
    name: 'waltrail_export_duration_seconds_max',
    help: 'Time that the slowest ready export took, from start to file.',
    type: Gauge,
    value: (now) => now.exports?.seconds.max,
  },
  {
    name: 'waltrail_http_streams',
    help: 'Open live streams.',
    type: Gauge,
    value: (now) => now.openStreams,
  },
];

/**
 * Produces what Prometheus reads. Labels are route patterns, methods, classes of status, and states. They are
 * never values of a request, so the number of series is bounded. Figures are read at each scrape; nothing
 * runs between scrapes.
 */
export class Metrics {
  readonly #sources: MetricsSources;
  readonly #registry = new Registry();
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  #scrape: Promise<string> | undefined;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: 'waltrail_http_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.#registry],
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Counts a request that was answered. `route` is the pattern, or `none` if no route matched. */
  observeRequest(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void {
    const { method, route, status } = request;
    this.#requests.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, request.seconds);
  }

  /**
   * Returns the metrics in Prometheus's exposition format. Simultaneous scrapes share one result, because
   * they set the same gauges.
   */
  async text(): Promise<string> {
    this.#scrape ??= this.#take().finally(() => (this.#scrape = undefined));
    return this.#scrape;
  }

  async #take(): Promise<string> {
    const { capture, head, gaps, exports, queue, openStreams } = this.#sources;
    const absent = (): undefined => undefined;
    const now: Snapshot = {
      capture: capture(),
      openStreams: openStreams(),
      queue: queue(),
      head: await head().catch(absent),
      gaps: await gaps().catch(absent),
      exports: await exports().catch(absent),
    };
    // The series are recreated at each scrape, because a figure without a value must be absent and not zero.
    for (const { name, help, type, value } of FIGURES) {
      this.#registry.removeSingleMetric(name);
      const figure = value(now);
      if (figure != null) new type({ name, help, registers: [this.#registry] }).inc(figure);
    }
    this.#byState(
      'waltrail_capture_state',
      'State of capture in this process: 1 for the current state.',
      captureStates(now.capture),
    );
    this.#byState(
      'waltrail_trail_gaps',
      'Gaps of the trail. Open ones have not ended.',
      now.gaps === undefined ? {} : { open: now.gaps.open, closed: now.gaps.total - now.gaps.open },
    );
    this.#byState('waltrail_exports', 'Exports that the trail holds, by state.', now.exports?.states ?? {});
    return this.#registry.metrics();
  }

  #byState(name: string, help: string, states: Readonly<Record<string, number>>): void {
    this.#registry.removeSingleMetric(name);
    const gauge = new Gauge({ name, help, labelNames: ['state'], registers: [this.#registry] });
    for (const [state, value] of Object.entries(states)) gauge.set({ state }, value);
  }
}

function captureStates(status: CaptureStatus | null): Readonly<Record<string, number>> {
  if (status === null) return {};
  return Object.fromEntries(STATES.map((state) => [state, state === status.state ? 1 : 0]));
}
