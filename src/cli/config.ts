import { WaltrailError } from '../errors.js';
import type { Settings } from '../settings.js';
import { loadConfig } from '../tracking/load.js';
import type { TrackingConfig } from '../tracking/rules.js';

/**
 * Loads the YAML for a database of the user's own. Throws SETTINGS_INVALID if none is named, and what {@link
 * loadConfig} throws.
 */
export function loadOwnConfig({ configFile, environment }: Settings): TrackingConfig {
  if (configFile === undefined)
    throw new WaltrailError(
      'SETTINGS_INVALID',
      'WALTRAIL_CONFIG is not set: it names the YAML of your database.',
      {
        remedy: 'Set WALTRAIL_CONFIG; config/sample.yaml is annotated and can be copied.',
      },
    );
  return loadConfig({ file: configFile, environment });
}
