import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** Paths of a certificate and its key, in PEM. */
export interface Certificate {
  readonly crt: string;
  readonly key: string;
}

const openssl = (args: readonly string[]) => promisify(execFile)('openssl', [...args]);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Creates a certificate authority in a folder (needs openssl). */
export async function certificateAuthority(folder: string, name: string): Promise<Certificate> {
  const [crt, key] = [path.join(folder, `${name}.crt`), path.join(folder, `${name}.key`)];
  await openssl([
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    key,
    '-out',
    crt,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  ]);
  return { crt, key };
}

/** Issues a certificate for one name, such as `IP:127.0.0.1` or `DNS:db.example`. */
export async function issueCertificate(
  authority: Certificate,
  options: { readonly folder: string; readonly name: string; readonly alternative: string },
): Promise<Certificate> {
  const { folder, name, alternative } = options;
  const file = (ending: string): string => path.join(folder, `${name}.${ending}`);
  await writeFile(file('ext'), `subjectAltName=${alternative}\n`);
  await openssl(['req', ...NEW_KEY, '-keyout', file('key'), '-out', file('csr'), '-subj', `/CN=${name}`]);
  await openssl([
    ...['x509', '-req', '-in', file('csr'), '-out', file('crt'), '-days', '2', '-extfile', file('ext')],
    ...['-CA', authority.crt, '-CAkey', authority.key, '-CAcreateserial'],
  ]);
  return { crt: file('crt'), key: file('key') };
}
