import { isIPv4, isIPv6 } from 'node:net';

/** Stands for everything that is no address. A proxy may pass on what a client has sent. */
const NO_ADDRESS = 'no address';

/**
 * Returns the key by which limits count an address. An IPv4 address is its own key. The key of an IPv6
 * address is its first 64 bits, because one client usually has all addresses that share them. Some proxies
 * state the port, too, which differs with each connection.
 */
export function networkOf(stated: string): string {
  const address = /^\[(.*)\](?::\d+)?$/.exec(stated)?.[1] ?? stated.replace(/^([\d.]+):\d+$/, '$1');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return isIPv4(address) ? address : NO_ADDRESS;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(8 - first.length - last.length, 0);
  const groups = [...first, ...Array.from({ length: zeros }, () => '0'), ...last];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
