#!/usr/bin/env node
import { readSettings } from '../settings.js';
import { dispatch } from './dispatch.js';
import { confirmOn } from './terminal.js';

const LINGER_MS = 3000;

// The reader of the output may have ended (`| head`, a closed terminal). That must not end a daemon in the
// middle of stopping.
process.stdout.on('error', () => undefined);
process.exitCode = await dispatch(process.argv.slice(2), {
  write: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
  settings: (options) => readSettings(undefined, options),
  confirm: confirmOn(process),
});
// A connection that does not close must not keep a stopped daemon alive. If everything is closed, this timer
// delays nothing.
setTimeout(() => process.exit(), LINGER_MS).unref();
