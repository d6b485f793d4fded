import { build } from './build.mjs';

/** Prepares specs of the page in a browser, which get made-up answers of test/support/mock-api.ts. */
export default () => build(['daemon', 'page']);
