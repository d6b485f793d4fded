/**
 * A peer that decodes what a slot has and does nothing with it but count, each in its fastest form. Order: {
 * peer, url, slot, publication, changes }. Says { doneAt, counts } when so many changes were decoded; counts
 * by kind.
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

/** Acknowledges by timer only: one by one, as is its default, takes it more than twice as long. */
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
 * Its `subscribe` always makes a temporary slot and begins at the present. The module takes the function that
 * connects as an argument, so it is given one that leaves out the first statement and puts the slot's name
 * into the second; the socket, the framing, the parser and the calls of subscribers are its own. It answers
 * keepalives and acknowledges nothing else.
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
 * Splits rows into text values; their types are parsed when a value is looked at, which nobody does.
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
