/**
 * The guards: where each stands in the compiled code, what the code is without it, and the test that must then fail.
 * The name says what the guard does.
 */
export const GUARDS = [
  {
    guard: 'acknowledge only what is committed to the trail',
    file: 'dist/pipeline/pipeline.js',
    from: 'this.counts.transactions++;',
    to: 'this.counts.transactions++; this.#options.source.acknowledge(bytes.readBigUInt64BE(at + 8));',
    spec: 'test/faults/kill.spec.ts',
    test: 'before its commit reaches the trail',
  },
  {
    guard: 'stream from the checkpoint, not from where the slot is',
    file: 'dist/source/replication.js',
    from: 'LOGICAL ${formatLsn(options.startLsn)} ',
    to: 'LOGICAL 0/0 ',
    spec: 'test/faults/kill.spec.ts',
    test: 'after its commit, before it could acknowledge',
  },
  {
    guard: 'entries and checkpoint in one transaction',
    file: 'dist/trail/write.js',
    from: `            this.#advance({ endLsn, nextId, entries: stored, committedAt }),
            'commit',`,
    to: `            'commit',
            this.#advance({ endLsn, nextId, entries: stored, committedAt }),`,
    spec: 'test/faults/trail.spec.ts',
    test: 'ended while its commit waited',
  },
  {
    guard: 'the fence: only from exactly the expected position',
    file: 'sql/trail/0001_trail.sql',
    from: 'where source = p_source and end_lsn = p_from_lsn and next_id = p_from_id;',
    to: 'where source = p_source;',
    spec: 'test/faults/daemons.spec.ts',
    test: 'comes second to the checkpoint',
  },
  {
    guard: 'election: one daemon captures',
    file: 'dist/trail/checkpoint.js',
    from: 'if (rows[0].elected) {',
    to: 'if (rows[0] !== undefined) {',
    spec: 'test/faults/daemons.spec.ts',
    test: 'of two daemons one captures',
  },
  {
    guard: 'durable: the trail waits for its disk whatever it is set to',
    file: 'dist/trail/checkpoint.js',
    from: "('synchronous_commit', 'on'), ",
    to: '',
    spec: 'test/faults/crash.spec.ts',
    test: 'what is acknowledged survives',
  },
  {
    guard: 'silence of the source has a limit',
    file: 'dist/source/replication.js',
    from: "if (verdict === 'give up') {",
    to: "if (verdict === 'never') {",
    spec: 'test/faults/network.spec.ts',
    test: 'to the source is given up and replaced',
  },
  {
    guard: 'silence of the trail has a limit',
    file: 'dist/trail/write.js',
    from: "if (this.#silence.tick() !== 'give up')",
    to: "if (this.#silence.tick() !== 'never')",
    spec: 'test/faults/network.spec.ts',
    test: 'to the trail is given up while a commit is waited for',
  },
  {
    guard: 'a quiet source is asked before it is given up',
    file: 'dist/source/replication.js',
    from: 'frame[38] = wantsAnswer ? 1 : 0;',
    to: 'frame[38] = 0;',
    spec: 'test/faults/network.spec.ts',
    test: 'a source that has nothing to say is not taken for a dead one',
  },
  {
    guard: 'keepalives are answered',
    file: 'dist/source/replication.js',
    from: 'if (bytes[start + 17] === 1)',
    to: 'if (bytes[start + 17] === 2)',
    spec: 'test/faults/network.spec.ts',
    test: 'does not end a connection on which nothing happens',
  },
  {
    guard: 'the source is told that we live also while it is not read',
    file: 'dist/source/replication.js',
    from: "this.#sendStatus(verdict === 'ask');",
    to: "if (!this.#paused) this.#sendStatus(verdict === 'ask');",
    spec: 'test/faults/network.spec.ts',
    test: 'does not end a connection that is not read because the trail is behind',
  },
  {
    guard: 'back-pressure: the source is not read while the trail is behind',
    file: 'dist/pipeline/pipeline.js',
    from: 'if (!this.#paused && trail.pendingBytes > HIGH_WATER_BYTES) {',
    to: 'if (!this.#paused && trail.pendingBytes > Infinity) {',
    spec: 'test/faults/network.spec.ts',
    test: 'does not end a connection that is not read because the trail is behind',
  },
  {
    guard: 'a lost connection to the source is made again at once',
    file: 'dist/errors.js',
    from: `    SOURCE_DISCONNECTED: {
        retry: 'backoff',`,
    to: `    SOURCE_DISCONNECTED: {
        retry: 'operator',`,
    spec: 'test/faults/network.spec.ts',
    test: 'to the source is given up and replaced',
  },
  {
    guard: 'a trail that refuses entries is tried again at once',
    file: 'dist/errors.js',
    from: `    TRAIL_WRITE_FAILED: {
        retry: 'backoff',`,
    to: `    TRAIL_WRITE_FAILED: {
        retry: 'operator',`,
    spec: 'test/faults/trail.spec.ts',
    test: 'read-only by a setting',
  },
  {
    guard: 'a full disk ends the batch as a whole',
    file: 'dist/pg/conversation.js',
    from: `        this.#failed(error);
        for (const answer of this.#due.splice(0))
            answer.reject(error);`,
    to: `        for (const answer of this.#due.splice(0))
            answer.resolve();`,
    spec: 'test/faults/trail.spec.ts',
    test: 'is written to when there is space again',
  },
  {
    guard: 'nothing is committed behind a commit that failed',
    file: 'dist/trail/write.js',
    from: `        this.#throwFailure();
        const { bytes, entries, endLsn, committedAt } = this.#boundary;`,
    to: '        const { bytes, entries, endLsn, committedAt } = this.#boundary;',
    spec: 'test/pg/capture-batches.spec.ts',
    test: 'a commit that fails at its very end',
  },
];
