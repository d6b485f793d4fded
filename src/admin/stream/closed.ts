import type { FastifyReply } from 'fastify';

/**
 * Resolves when a reply was sent completely, or its connection has ended. A reply to a pipelined request has
 * no socket while one before it is answered. It then does not learn that the connection has ended, so the
 * socket is taken from the request.
 */
export function closed(reply: FastifyReply): Promise<void> {
  const { raw } = reply;
  const { socket } = reply.request.raw;
  return new Promise((resolve) => {
    const close = (): void => {
      socket.off('close', close);
      resolve();
    };
    // The client may have disconnected already; the "close" event will not come again.
    if (raw.destroyed || socket.destroyed) return resolve();
    raw.once('close', close);
    socket.once('close', close);
  });
}
