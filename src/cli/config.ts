import { WaltrailError } from '../errors.js';
import type { Settings } from '../settings.js';
import { loadConfig } from '../tracking/load.js';
import type { TrackingConfig } from '../tracking/rules.js';

/**
 * Loads the YAML for the user's own database. Throws SETTINGS_INVALID if no file is set, and what {@link
 * loadConfig} throws.
 */
export function loadOwnConfig({ configFile, environment }: Settings): TrackingConfig {
  if (configFile === undefined)
    throw new WaltrailError(
      'SETTINGS_INVALID',
      'WALTRAIL_CONFIG is not set. It must name the YAML file for your database.',
      {
        remedy: 'Set WALTRAIL_CONFIG. You can start from a copy of config/sample.yaml, which has comments.',
      },
    );
  return loadConfig({ file: configFile, environment });
}
