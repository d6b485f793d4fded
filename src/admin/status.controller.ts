import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { CaptureStatus } from '../pipeline/capture-status.js';
import { CAPTURE_STATUS } from '../pipeline/pipeline.module.js';
import type { CaptureStatusSource } from '../pipeline/pipeline.module.js';
import type { TrailHead } from '../trail/read/entry.js';
import type { GapCounts } from '../trail/read/gap-list.js';
import { TrailReader } from '../trail/read/trail-reader.js';
import { Allow, principalOf } from './auth.guard.js';
import type { GuardedRequest } from './auth.guard.js';
import { Describe } from './describe.js';
import { FACTS, QUEUE_STATUS } from './facts.js';
import type { DaemonFacts, QueueStatusSource } from './facts.js';

export interface StatusView extends DaemonFacts {
  /** Null where another process captures: `trail` says how far that one is. */
  readonly capture: CaptureStatus | null;
  /** Null before the trail has begun. */
  readonly trail: TrailHead | null;
  readonly gaps: GapCounts | null;
  readonly exportQueue: ExportQueueView | null;
}

/** Whether exports are made; where not, why. */
export interface ExportQueueView {
  readonly works: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string } | null;
}

/** What this process is and does, and how far the trail is. */
@Controller('status')
export class StatusController {
  readonly #reader: TrailReader;
  readonly #facts: DaemonFacts;
  readonly #capture: CaptureStatusSource;
  readonly #queue: QueueStatusSource;

  constructor(
    reader: TrailReader,
    @Inject(FACTS) facts: DaemonFacts,
    @Inject(CAPTURE_STATUS) capture: CaptureStatusSource,
    @Inject(QUEUE_STATUS) queue: QueueStatusSource,
  ) {
    this.#reader = reader;
    this.#facts = facts;
    this.#capture = capture;
    this.#queue = queue;
  }

  @Get()
  @Allow('viewer')
  @Describe({
    summary: 'What this process does and how far the trail is',
    answer: 'Status',
    errors: [401, 403, 503],
  })
  async status(@Req() request: GuardedRequest): Promise<StatusView> {
    const [trail, gaps] = await Promise.all([this.#reader.head(), this.#reader.gapCounts()]);
    // Numbers of entries and changes are those of all tenants, which a scoped token does not see.
    const exportQueue = queueView(this.#queue());
    if (principalOf(request).tenant !== null)
      return { ...this.#facts, capture: null, trail: null, gaps: null, exportQueue };
    return {
      ...this.#facts,
      capture: this.#capture(),
      trail: trail.nextId === '0' ? null : trail,
      gaps,
      exportQueue,
    };
  }
}

function queueView(status: ReturnType<QueueStatusSource>): ExportQueueView | null {
  if (status === null) return null;
  const { works, problem } = status;
  return {
    works,
    error: problem === null ? null : { code: problem.code, message: problem.message, remedy: problem.remedy },
  };
}
