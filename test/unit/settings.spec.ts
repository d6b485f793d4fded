import { describe, expect, test } from '@jest/globals';
import os from 'node:os';
import { readSettings } from '../../src/settings.js';

const WRONG = {
  WALTRAIL_SOURCE_URL: 'mysql://secret@db/crm',
  REDIS_URL: 'http://secret@queue',
  WALTRAIL_PORT: '70000',
  WALTRAIL_LOG_LEVEL: 'loud',
};

describe('the settings', () => {
  test('are all reported at once if they are invalid, in sentences without their values', () => {
    expect(() => readSettings(WRONG)).toThrow(
      expect.objectContaining({
        code: 'SETTINGS_INVALID',
        message:
          'WALTRAIL_SOURCE_URL must be a postgres:// URL. REDIS_URL must be a redis:// URL. ' +
          'WALTRAIL_PORT must be a port number from 0 to 65535. ' +
          'WALTRAIL_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent.',
      }),
    );
  });

  test.each(['0.5', '-1.5', 'http'])('reject port %s', (port) => {
    expect(() => readSettings({ WALTRAIL_PORT: port })).toThrow(
      expect.objectContaining({ message: 'WALTRAIL_PORT must be a port number from 0 to 65535.' }),
    );
  });

  test('use the default if a variable is empty', () => {
    expect(readSettings({ WALTRAIL_PORT: '', WALTRAIL_LOG_LEVEL: '', WALTRAIL_SPOOL_DIR: '' })).toMatchObject(
      {
        port: 8080,
        logLevel: 'error',
        spoolDir: os.tmpdir(),
        sourceUrl: undefined,
        configFile: undefined,
      },
    );
  });

  test('log at level info, but with the sample database only errors', () => {
    const urls = { WALTRAIL_SOURCE_URL: 'postgres://a/b', WALTRAIL_TRAIL_URL: 'postgres://a/c' };
    expect(readSettings(urls).logLevel).toBe('info');
    expect(readSettings({}).logLevel).toBe('error');
    expect(readSettings({ WALTRAIL_LOG_LEVEL: 'debug' }).logLevel).toBe('debug');
  });
});
