import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import type pg from 'pg';
import { Exports } from '../exports/exports.js';
import type { Log } from '../log.js';
import { TrailReader } from '../trail/read/trail-reader.js';
import { AccessRecord } from './auth/access.js';
import { AuthGuard } from './auth/guard.js';
import { Authenticator } from './auth/authenticator.js';
import { EntriesController } from './routes/entries.controller.js';
import { ExportsController } from './routes/exports.controller.js';
import {
  CAPTURE_STATUS,
  FACTS,
  QUEUE_STATUS,
  type CaptureStatusSource,
  type DaemonFacts,
  type QueueStatusSource,
} from './routes/facts.js';
import { GapsController } from './routes/gaps.controller.js';
import { HEALTH_POOL, HealthController } from './routes/health.controller.js';
import { LiveFeed } from './stream/live.js';
import { Metrics } from './routes/metrics.js';
import { Readings } from './routes/readings.js';
import { Reports } from './routes/reports.js';
import { ProblemFilter } from './problem.filter.js';
import { SchemaPipe } from './schema-pipe.js';
import { SessionController } from './routes/session.controller.js';
import { OpenStreams } from './stream/sse.js';
import { Site } from './auth/site.js';
import { StatusController } from './routes/status.controller.js';
import { StreamController } from './routes/stream.controller.js';

/** Parts that the HTTP side of the daemon works with. main.ts creates them. */
export interface AdminParts {
  readonly facts: DaemonFacts;
  /** For tokens, sessions and the access record. */
  readonly pool: pg.Pool;
  readonly reader: TrailReader;
  readonly readings: Readings;
  /** Undefined without the role `api`. The process then serves health and metrics only. */
  readonly exports: Exports | undefined;
  readonly queue: QueueStatusSource;
  readonly capture: CaptureStatusSource;
  readonly metrics: Metrics;
  readonly feed: LiveFeed;
  readonly streams: OpenStreams;
  readonly site: Site;
  readonly authenticator: Authenticator;
  readonly access: AccessRecord;
  readonly log: Log;
}

/** The HTTP side: every controller, the values that they use, and the guard, pipe and filter of all. */
@Module({})
export class AdminModule {
  static of(parts: AdminParts): DynamicModule {
    const providers: Provider[] = [
      { provide: FACTS, useValue: parts.facts },
      { provide: HEALTH_POOL, useValue: parts.pool },
      { provide: TrailReader, useValue: parts.reader },
      { provide: Readings, useValue: parts.readings },
      Reports,
      { provide: QUEUE_STATUS, useValue: parts.queue },
      { provide: CAPTURE_STATUS, useValue: parts.capture },
      { provide: Metrics, useValue: parts.metrics },
      { provide: LiveFeed, useValue: parts.feed },
      { provide: OpenStreams, useValue: parts.streams },
      { provide: Site, useValue: parts.site },
      { provide: Authenticator, useValue: parts.authenticator },
      { provide: AccessRecord, useValue: parts.access },
      { provide: APP_GUARD, useClass: AuthGuard },
      { provide: APP_PIPE, useClass: SchemaPipe },
      { provide: APP_FILTER, useValue: new ProblemFilter(parts.log) },
    ];
    if (parts.exports === undefined)
      return { module: AdminModule, controllers: [HealthController], providers };
    return {
      module: AdminModule,
      controllers: [
        HealthController,
        SessionController,
        StreamController,
        EntriesController,
        GapsController,
        ExportsController,
        StatusController,
      ],
      providers: [...providers, { provide: Exports, useValue: parts.exports }],
    };
  }
}
