import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An HTTPS server that knows one token and has one certificate, both of which a test replaces while it runs. */
export interface TokenServer extends AsyncDisposable {
  readonly port: number;
  token: string;
  readonly caPem: string;
  readonly answers: readonly number[];
  /** A new certificate of a new authority, from the next connection on; all others are ended. */
  replaceCertificate(): void;
}

/** Starts it on a free port of loopback. A real API server has neither its CA nor its tokens' keys replaced so quickly. */
export async function startTokenServer(token: string): Promise<TokenServer> {
  let pair = makeCertificate();
  const answers: number[] = [];
  const server: Server = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
    const status = request.headers.authorization === `Bearer ${started.token}` ? 404 : 401;
    answers.push(status);
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"kind":"Status"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const started = {
    port: address.port,
    token,
    answers,
    get caPem() {
      return pair.cert;
    },
    replaceCertificate: () => {
      pair = makeCertificate();
      server.setSecureContext({ cert: pair.cert, key: pair.key });
      server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return started;
}

/** A certificate for 127.0.0.1 that is its own authority. */
function makeCertificate(): { readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'drydock-certificate-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:TRUE'];
    const output = ['-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'];
    execFileSync('openssl', ['req', '-x509', ...curve, ...output, ...names], { stdio: 'ignore' });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
