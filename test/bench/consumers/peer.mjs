/**
 * A peer that decodes the changes of a slot and only counts them, each in its fastest form. Order: { peer,
 * url, slot, publication, changes }. Reports { doneAt, counts } when that number of changes is decoded;
 * counts are by kind.
 */
const PEERS = {
  'pg-logical-replication': throughPgLogicalReplication,
  'postgres.js': throughPostgresJs,
  pgwire: throughPgwire,
};

process.once('message', ({ peer, changes, ...order }) => {
  const counts = { insert: 0, update: 0, delete: 0 };
  let decoded = 0;
  PEERS[peer](order, (kind) => {
    counts[kind]++;
    if (++decoded === changes) process.send({ doneAt: Date.now(), counts });
  }).catch(fail);
});
process.on('disconnect', () => process.exit(0));

/** Acknowledges by timer only. Its default, one by one, takes more than twice as long. */
async function throughPgLogicalReplication({ url, slot, publication }, decoded) {
  const { LogicalReplicationService, PgoutputPlugin } = await import('pg-logical-replication');
  const service = new LogicalReplicationService(
    { connectionString: url },
    { acknowledge: { auto: false, timeoutSeconds: 10 } },
  );
  service.on('data', (_, { tag }) => {
    if (tag === 'insert' || tag === 'update' || tag === 'delete') decoded(tag);
  });
  service.on('error', fail);
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] });
  await service.subscribe(plugin, slot);
}

/**
 * Reads with postgres.js, whose `subscribe` always creates a temporary slot and begins at the present. The
 * module takes the function that connects as an argument. The one given here leaves out the first statement
 * and puts the slot's name into the second. The socket, the framing, the parser and the calls of subscribers
 * are the library's own. It answers keepalives and acknowledges nothing else.
 */
async function throughPostgresJs({ url, slot, publication }, decoded) {
  const entry = import.meta.resolve('postgres');
  const { default: postgres } = await import(entry);
  const { default: subscription } = await import(new URL('subscribe.js', entry));
  const onSlot = (options) => {
    const sql = postgres(options);
    const { unsafe } = sql;
    sql.unsafe = (statement) =>
      statement.startsWith('CREATE_REPLICATION_SLOT')
        ? Promise.resolve(Object.assign([{ consistent_point: '0/0' }], { state: {} }))
        : unsafe(statement.replace(/(?<=SLOT )\S+/, slot));
    return sql;
  };
  const { options } = postgres(url, { publications: publication });
  await subscription(onSlot, options)('*', (_, { command }) => decoded(command));
}

/**
 * Splits rows into text values. Types are parsed only when a value is read, which does not happen here.
 * Acknowledges every 10 s.
 */
async function throughPgwire({ url, slot, publication }, decoded) {
  const { pgconnection } = await import('pgwire');
  const stream = pgconnection({ replication: 'database' }, url).logicalReplication({
    slot,
    options: { proto_version: 1, publication_names: publication },
  });
  for await (const { lastLsn, messages } of stream.pgoutputDecode()) {
    for (const { tag } of messages) {
      if (tag === 'insert' || tag === 'update' || tag === 'delete') decoded(tag);
    }
    stream.ack(lastLsn);
  }
  throw new Error('the stream ended');
}

function fail(error) {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}
