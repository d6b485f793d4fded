import { Module, type DynamicModule } from '@nestjs/common';
import { TrailReader } from './read/trail-reader.js';

/** The trail as the API reads it. */
@Module({})
export class TrailModule {
  static of(reader: TrailReader): DynamicModule {
    return {
      module: TrailModule,
      providers: [{ provide: TrailReader, useValue: reader }],
      exports: [TrailReader],
    };
  }
}
