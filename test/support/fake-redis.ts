import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

/**
 * Returns the reply to a command: a whole RESP reply without its line end, such as `-NOAUTH Authentication
 * required.` or `+OK`.
 */
export type Answer = (command: readonly string[]) => string;

export interface FakeRedis extends AsyncDisposable {
  readonly url: string;
  /** Every command since the beginning, in upper case. */
  readonly commands: string[];
  /** Connections since the beginning. */
  readonly connections: () => number;
  answer: Answer;
}

/**
 * Starts a server that speaks RESP and gives the answers of a test, which no real server can be made to give.
 * Stores nothing.
 */
export async function fakeRedis(answer: Answer): Promise<FakeRedis> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    let pending = '';
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1');
      for (let read = readCommand(pending); read !== undefined; read = readCommand(pending)) {
        pending = pending.slice(read.end);
        commands.push(read.command[0]!.toUpperCase());
        socket.write(`${fake.answer(read.command)}\r\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fake: FakeRedis = {
    url: `redis://waltrail:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}`,
    commands,
    connections: () => connections,
    answer,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return fake;
}

/**
 * Reads `*2\r
 * $4\r
 * ECHO\r
 * $2\r
 * hi\r
 * `. Returns undefined if it is not complete.
 */
function readCommand(
  text: string,
): { readonly command: readonly string[]; readonly end: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  const command: string[] = [];
  let at = head[0].length;
  for (let left = Number(head[1]); left > 0; left--) {
    const length = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (length === null) return undefined;
    const begin = at + length[0].length;
    at = begin + Number(length[1]) + 2;
    if (text.length < at) return undefined;
    command.push(text.slice(begin, at - 2));
  }
  return { command, end: at };
}
