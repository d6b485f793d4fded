import { build } from './build.mjs';

/** Prepares specs that need nothing but the daemon's modules. */
export default () => build(['daemon']);
