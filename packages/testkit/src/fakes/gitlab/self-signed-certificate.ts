import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A certificate for the loopback names that is its own authority. */
export interface SelfSignedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

const run = promisify(execFile);

/** Makes a fresh certificate with openssl, which must be on the machine; it is valid for a day. */
export async function makeSelfSignedCertificate(): Promise<SelfSignedCertificate> {
  const dir = await mkdtemp(join(tmpdir(), 'drydock-cert-'));
  try {
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const extensions = ['-addext', names, '-addext', 'basicConstraints=critical,CA:TRUE'];
    const output = ['-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'];
    await run('openssl', ['req', '-x509', ...curve, ...output, ...extensions]);
    return { certPem: await readFile(cert, 'utf8'), keyPem: await readFile(key, 'utf8') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
