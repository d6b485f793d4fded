import { Inject, Injectable } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import { resolveRange, type TimeRange } from '../../trail/read/range.js';
import { withCapture } from './coverage.js';
import { CAPTURE_STATUS, FACTS, rangeLimit } from './facts.js';
import type { CaptureStatusSource, DaemonFacts } from './facts.js';
import { Readings } from './readings.js';

type Coverage = Answer<'EntryPage'>['coverage'];

/** A range as it was requested. */
export interface AskedRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timezone?: string | undefined;
}

/** Parts that all routes share that answer about a range of the trail. */
@Injectable()
export class Reports {
  readonly readings: Readings;
  readonly #facts: DaemonFacts;
  readonly #capture: CaptureStatusSource;

  constructor(
    readings: Readings,
    @Inject(FACTS) facts: DaemonFacts,
    @Inject(CAPTURE_STATUS) capture: CaptureStatusSource,
  ) {
    this.readings = readings;
    this.#facts = facts;
    this.#capture = capture;
  }

  /** Returns the requested range, resolved with the current time. Throws what `resolveRange` throws. */
  range({ from, to, timezone }: AskedRange): TimeRange {
    return resolveRange({ from, to, ...rangeLimit(this.#facts, timezone), now: new Date() });
  }

  /** Returns the trail's coverage, with what capture knows in this process. */
  coverage(stored: Coverage): Coverage {
    return withCapture(stored, this.#capture());
  }
}
