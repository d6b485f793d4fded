import { Module, type DynamicModule } from '@nestjs/common';
import type { CaptureStatus } from './capture-status.js';

/** What capture is doing in this process; null where it does not capture, and before it has begun. */
export type CaptureStatusSource = () => CaptureStatus | null;

/** Injection token of {@link CaptureStatusSource}. */
export const CAPTURE_STATUS = Symbol('waltrail.captureStatus');

/** Capture as the API sees it: its status and nothing else. The daemon starts and stops it (main.ts). */
@Module({})
export class PipelineModule {
  static of(status: CaptureStatusSource): DynamicModule {
    return {
      module: PipelineModule,
      providers: [{ provide: CAPTURE_STATUS, useValue: status }],
      exports: [CAPTURE_STATUS],
    };
  }
}
