import { expect, test } from '@jest/globals';
import { networkOf } from '../../src/admin/auth/network.js';
import { Site } from '../../src/admin/auth/site.js';

test.each([
  ['plain HTTP', undefined],
  ['HTTPS', 'https://audit.example.com:8443'],
])('two instances on one host have different cookies over %s, because cookies ignore ports', (_, origin) => {
  const names = ['one', 'two'].map((instance) =>
    new Site({ origin, instance }).cookieName({ protocol: 'http' }),
  );
  expect(new Set(names).size).toBe(2);
  for (const name of names) expect(name.startsWith('__Host-')).toBe(origin !== undefined);
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  // Azure's gateways state the port.
  ['203.0.113.7:51234', '203.0.113.7'],
  ['[2001:db8:0:1::5]:443', '2001:db8:0:1::/64'],
  ['[2001:db8:0:1::6]', '2001:db8:0:1::/64'],
  ['2001:db8:0:1::7', '2001:db8:0:1::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  // What a client may send through a proxy that passes it on: one budget for all of it.
  ['unknown', 'no address'],
  ['x'.repeat(300), 'no address'],
  ['203.0.113.999', 'no address'],
])('limits count %s as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
