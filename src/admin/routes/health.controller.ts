import { Controller, Get, HttpCode, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type pg from 'pg';
import type { Answer } from '../../api/answers.js';
import { WaltrailError } from '../../errors.js';
import { sharedRead } from '../../trail/read/shared-read.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { Describe } from './describe.js';
import { CAPTURE_STATUS, QUEUE_STATUS } from './facts.js';
import type { CaptureStatusSource, QueueStatusSource } from './facts.js';
import { Metrics } from './metrics.js';

/** Injection token of the pool that the readiness check queries. */
export const HEALTH_POOL = Symbol('waltrail.healthPool');

const TRAIL_TIMEOUT_MS = 2_000;

/**
 * Answers orchestrators and Prometheus, outside the API's prefix. Health is open to everybody and shows
 * nothing from the trail. Metrics need a token.
 */
@Controller()
export class HealthController {
  /**
   * Asks the trail whether it answers. Anybody may cause this, so simultaneous requests share one statement.
   */
  readonly #ask: () => Promise<boolean>;
  readonly #capture: CaptureStatusSource;
  readonly #queue: QueueStatusSource;
  readonly #metrics: Metrics;

  constructor(
    @Inject(HEALTH_POOL) pool: pg.Pool,
    @Inject(CAPTURE_STATUS) capture: CaptureStatusSource,
    @Inject(QUEUE_STATUS) queue: QueueStatusSource,
    metrics: Metrics,
  ) {
    this.#ask = sharedRead(() =>
      pool.query(/* sql */ `select 1 from trail.checkpoint limit 1`).then(
        () => true,
        () => false,
      ),
    );
    this.#capture = capture;
    this.#queue = queue;
    this.#metrics = metrics;
  }

  @Get('healthz')
  @HttpCode(200)
  @Allow('open')
  @Describe({ summary: 'Whether the process runs', answer: 'Health', open: true })
  healthz(): Answer<'Health'> {
    return { status: 'ok' };
  }

  /**
   * Answers 503 while the trail does not answer, or while a capturing process neither streams nor stands by.
   */
  @Get('readyz')
  @Allow('open')
  @Describe({ summary: 'Whether the process can do its work', answer: 'Readiness', open: true })
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<Answer<'Readiness'>> {
    const trail = (await this.#trailAnswers()) ? 'up' : 'down';
    const capture = this.#capture()?.state ?? null;
    const ready = trail === 'up' && (capture === null || capture === 'streaming' || capture === 'standby');
    void reply.code(ready ? 200 : 503);
    const queue = this.#queue();
    return { ready, trail, capture, exportQueue: queue === null ? null : queue.works ? 'up' : 'down' };
  }

  @Get('metrics')
  @Allow('viewer', { polled: true })
  @Describe({
    summary: 'Prometheus metrics (needs a bearer token)',
    answer: 'text/plain',
    errors: [401, 403],
  })
  async metrics(@Req() request: GuardedRequest, @Res() reply: FastifyReply): Promise<void> {
    if (principalOf(request).tenant !== null) {
      throw new WaltrailError(
        'HTTP_FORBIDDEN',
        'Metrics are about all tenants, and the token sees only one tenant.',
      );
    }
    await reply.header('Content-Type', this.#metrics.contentType).send(await this.#metrics.text());
  }

  async #trailAnswers(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<boolean>(
      (resolve) => (timer = setTimeout(() => resolve(false), TRAIL_TIMEOUT_MS)),
    );
    try {
      return await Promise.race([this.#ask(), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}
