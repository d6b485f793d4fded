import { existsSync } from 'node:fs';
import path from 'node:path';
import { runFileIn } from '../embedded/run-file.js';
import { WaltrailError } from '../errors.js';
import type { Settings } from '../settings.js';
import { loadConfig } from '../tracking/load.js';
import type { TrackingConfig } from '../tracking/rules.js';

/** Absolute path of the YAML for the sample. */
export const SAMPLE_CONFIG = path.resolve(import.meta.dirname, '../../config/sample.yaml');

/**
 * Loads the YAML for the user's own database. Throws SETTINGS_INVALID if no file is set, and what {@link
 * loadConfig} throws.
 */
export function loadOwnConfig(settings: Settings): TrackingConfig {
  const { configFile, environment } = settings;
  if (configFile === undefined)
    throw new WaltrailError(
      'SETTINGS_INVALID',
      'WALTRAIL_CONFIG is not set. It must name the YAML file for your database.',
      {
        remedy: isSampleRunning(settings)
          ? `For the sample that runs here, set WALTRAIL_CONFIG to ${SAMPLE_CONFIG}, and WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL to sourceUrl and trailUrl of ${runFileIn(settings.dataDir)}.`
          : 'Set WALTRAIL_CONFIG. You can start from a copy of config/sample.yaml, which has comments.',
      },
    );
  return loadConfig({ file: configFile, environment });
}

const isSampleRunning = ({ sourceUrl, trailUrl, dataDir }: Settings): boolean =>
  sourceUrl === undefined && trailUrl === undefined && existsSync(runFileIn(dataDir));
