import { Inject, Injectable } from '@nestjs/common';
import type { Answer } from '../../api/answers.js';
import { resolveRange, type TimeRange } from '../../trail/read/range.js';
import { withCapture } from './coverage.js';
import { CAPTURE_STATUS, FACTS, rangeLimit } from './facts.js';
import type { CaptureStatusSource, DaemonFacts } from './facts.js';
import { Readings } from './readings.js';

type Coverage = Answer<'EntryPage'>['coverage'];

/** A range as a request gives it. */
export interface AskedRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timezone?: string | undefined;
}

/** What routes that answer about a range of the trail have in common. */
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

  /** The range that is asked for, as of now. Throws RANGE_TOO_LONG and what else `resolveRange` throws. */
  range({ from, to, timezone }: AskedRange): TimeRange {
    return resolveRange({ from, to, ...rangeLimit(this.#facts, timezone), now: new Date() });
  }

  /** What the trail says that it covers, with what capture knows in this process. */
  coverage(stored: Coverage): Coverage {
    return withCapture(stored, this.#capture());
  }
}
