import { Module, type DynamicModule } from '@nestjs/common';
import { Exports } from './exports.js';

/** Exports as the API offers them; the worker that makes the files is no part of it (main.ts starts it). */
@Module({})
export class ExportsModule {
  static of(exports: Exports): DynamicModule {
    return {
      module: ExportsModule,
      providers: [{ provide: Exports, useValue: exports }],
      exports: [Exports],
    };
  }
}
