import DefaultSequencer from '@jest/test-sequencer';

/**
 * What takes longest first, so that nothing long is left for the end, when other workers have no more to do.
 */
const FOLDERS = ['test/faults/', 'test/pg/', 'test/web/', 'test/unit/'];

/** Within a folder in Jest's order: by the times of the last run, or by size. */
export default class Sequencer extends DefaultSequencer {
  sort(tests) {
    const place = ({ path }) => FOLDERS.findIndex((folder) => path.replaceAll('\\', '/').includes(folder));
    return [...super.sort(tests)].sort((one, other) => place(one) - place(other));
  }
}
