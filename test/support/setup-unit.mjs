import { build } from './build.mjs';

/** For specs that need nothing but the daemon's modules. */
export default () => build(['daemon']);
