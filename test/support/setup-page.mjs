import { build } from './build.mjs';

/** For specs of the page in a browser, on answers made up by test/support/mock-api.ts. */
export default () => build(['daemon', 'page']);
