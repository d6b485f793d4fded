import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import { sharedRead } from '../../trail/read/shared-read.js';
import { TrailReader, type TrailStanding } from '../../trail/read/trail-reader.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Describe } from './describe.js';
import { withCapture } from './coverage.js';
import { CAPTURE_STATUS, FACTS, QUEUE_STATUS } from './facts.js';
import type { CaptureStatusSource, DaemonFacts, QueueStatusSource } from './facts.js';

/** Serves the status: what this process is and does, and how current the trail is. */
@Controller('status')
export class StatusController {
  /** Reads the standing of the trail. Simultaneous requests share one read. */
  readonly #standing: () => Promise<TrailStanding>;
  readonly #facts: DaemonFacts;
  readonly #capture: CaptureStatusSource;
  readonly #queue: QueueStatusSource;

  constructor(
    reader: TrailReader,
    @Inject(FACTS) facts: DaemonFacts,
    @Inject(CAPTURE_STATUS) capture: CaptureStatusSource,
    @Inject(QUEUE_STATUS) queue: QueueStatusSource,
  ) {
    this.#standing = sharedRead(() => reader.standing());
    this.#facts = facts;
    this.#capture = capture;
    this.#queue = queue;
  }

  @Get()
  @Allow('viewer', { polled: true })
  @Describe({
    summary: 'What this process does, and how current the trail is',
    answer: 'Status',
    errors: [401, 403, 503],
  })
  async status(@Req() request: GuardedRequest): Promise<Answer<'Status'>> {
    const standing = await this.#standing();
    const { head: trail, coverage: stored, retentionFloor: floor } = standing;
    const { version: gapsVersion, ...gaps } = standing.gaps;
    const facts = { ...this.#facts, retentionDays: keptDays(this.#facts.retentionDays, floor) };
    const coverage = withCapture(stored, this.#capture());
    // The numbers of entries and changes are those of all tenants, so a tenant-scoped token does not see
    // them.
    const exportQueue = queueView(this.#queue());
    if (principalOf(request).tenant !== null)
      return { ...facts, capture: null, trail: null, coverage, gaps: null, gapsVersion, exportQueue };
    return {
      ...facts,
      capture: this.#capture(),
      trail: trail.nextId === '0' ? null : trail,
      coverage,
      gaps,
      gapsVersion,
      exportQueue,
    };
  }
}

/** Returns the days that entries are kept, which is at least the trail's floor. Null: forever. */
const keptDays = (asked: number | null, floor: number | null): number | null =>
  asked === null || floor === null ? null : Math.max(asked, floor);

function queueView(status: ReturnType<QueueStatusSource>): Answer<'Status'>['exportQueue'] {
  if (status === null) return null;
  const { works, problem } = status;
  return {
    works,
    error: problem === null ? null : { code: problem.code, message: problem.message, remedy: problem.remedy },
  };
}
