import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { CaptureStatus } from '../pipeline/capture-status.js';
import { CAPTURE_STATUS } from '../pipeline/pipeline.module.js';
import type { CaptureStatusSource } from '../pipeline/pipeline.module.js';
import type { TrailHead } from '../trail/entry.js';
import type { GapCounts } from '../trail/gap-list.js';
import { TrailReader } from '../trail/read.js';
import { Allow, principalOf } from './auth.guard.js';
import type { GuardedRequest } from './auth.guard.js';
import { Describe } from './describe.js';
import { FACTS } from './facts.js';
import type { DaemonFacts } from './facts.js';

export interface StatusView extends DaemonFacts {
  /** Null where another process captures: `trail` says how far that one is. */
  readonly capture: CaptureStatus | null;
  /** Null before the trail has begun. */
  readonly trail: TrailHead | null;
  readonly gaps: GapCounts | null;
}

/** What this process is and does, and how far the trail is. */
@Controller('status')
export class StatusController {
  readonly #reader: TrailReader;
  readonly #facts: DaemonFacts;
  readonly #capture: CaptureStatusSource;

  constructor(
    reader: TrailReader,
    @Inject(FACTS) facts: DaemonFacts,
    @Inject(CAPTURE_STATUS) capture: CaptureStatusSource,
  ) {
    this.#reader = reader;
    this.#facts = facts;
    this.#capture = capture;
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
    if (principalOf(request).tenant !== null)
      return { ...this.#facts, capture: null, trail: null, gaps: null };
    return { ...this.#facts, capture: this.#capture(), trail: trail.nextId === '0' ? null : trail, gaps };
  }
}
