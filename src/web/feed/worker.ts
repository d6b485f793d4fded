import { Hub, type Tell } from './hub.ts';
import type { FromTab } from './messages.ts';
import { openStream } from './stream-connection.ts';

/**
 * The shared worker of all tabs of this page in a browser. It has the only live connection, and runs while
 * one of the tabs exists.
 */
const SWEEP_MS = 5_000;

const hub = new Hub(openStream);
setInterval(() => hub.sweep(), SWEEP_MS);

const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };
scope.onconnect = ({ ports }) => {
  const port = ports[0]!;
  const tell: Tell = (message) => port.postMessage(message);
  port.onmessage = ({ data }: MessageEvent<FromTab>) => hub.hear(tell, data);
};
