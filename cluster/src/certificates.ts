import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from './run.ts';

/** Who a certificate names: to Kubernetes the common name is the user, each organisation a group. */
export interface Subject {
  readonly user: string;
  readonly groups?: readonly string[];
  /** For servers: `IP:127.0.0.1`, `DNS:localhost`. */
  readonly altNames?: readonly string[];
}

/** A certificate with its key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
/** Without it openssl would take the machine's own settings, which make every certificate an authority. */
const settings = '[req]\ndistinguished_name = subject\nprompt = yes\n[subject]\n';
const days = '365';

/** Makes the cluster's certificate authority, `ca.crt` and `ca.key`, in an empty folder. */
export async function createAuthority(folder: string, signal: AbortSignal): Promise<void> {
  await writeFile(join(folder, 'openssl.cnf'), settings);
  await runOk(
    'openssl',
    [
      ...['req', '-config', 'openssl.cnf', '-x509', ...curve, '-days', days, '-subj', '/CN=drydock-test-cluster'],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
      ...['-keyout', 'ca.key', '-out', 'ca.crt'],
    ],
    { cwd: folder, signal },
  );
}

/** Signs a certificate with that authority and leaves it as `<name>.crt` and `<name>.key`. */
export async function signCertificate(
  folder: string,
  name: string,
  subject: Subject,
  signal: AbortSignal,
): Promise<KeyPair> {
  const altNames = subject.altNames === undefined ? [] : ['-addext', `subjectAltName=${subject.altNames.join(',')}`];
  await runOk(
    'openssl',
    [
      ...['req', '-config', 'openssl.cnf', '-x509', '-CA', 'ca.crt', '-CAkey', 'ca.key', ...curve, '-days', days],
      ...['-subj', distinguishedName(subject), '-addext', 'basicConstraints=CA:FALSE', ...altNames],
      ...['-addext', 'extendedKeyUsage=clientAuth,serverAuth', '-keyout', `${name}.key`, '-out', `${name}.crt`],
    ],
    { cwd: folder, signal },
  );
  const [certificate, key] = await Promise.all(
    ['crt', 'key'].map((kind) => readFile(join(folder, `${name}.${kind}`), 'utf8')),
  );
  if (certificate === undefined || key === undefined) throw new Error('openssl left no certificate');
  return { certificate, key };
}

/** Makes the pair that service account tokens are signed with: `sa.key`, `sa.pub`. */
export async function createTokenKeys(folder: string, signal: AbortSignal): Promise<void> {
  const generate = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'sa.key'];
  await runOk('openssl', generate, { cwd: folder, signal });
  await runOk('openssl', ['pkey', '-in', 'sa.key', '-pubout', '-out', 'sa.pub'], { cwd: folder, signal });
}

function distinguishedName({ user, groups = [] }: Subject): string {
  const escape = (value: string) => value.replaceAll(/[\\/+]/g, (special) => `\\${special}`);
  return [...groups.map((group) => `/O=${escape(group)}`), `/CN=${escape(user)}`].join('');
}
