/** An API server as kubectl sees it: any path, any body, nothing repeated or interpreted. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { parse } from 'yaml';
import { z } from 'zod';

const Kubeconfig = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.url(), 'certificate-authority-data': z.base64() }) })]),
  users: z.tuple([
    z.object({ user: z.object({ 'client-certificate-data': z.base64(), 'client-key-data': z.base64() }) }),
  ]),
});

/** An answer, whatever it says. */
export interface PlainAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Sends one request. */
export type PlainApi = (
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options?: { readonly body?: unknown; readonly accept?: string; readonly contentType?: string },
) => Promise<PlainAnswer>;

/** Reads a kubeconfig that a test cluster wrote. */
export async function openPlainApi(kubeconfigPath: string): Promise<PlainApi> {
  const { clusters, users } = Kubeconfig.parse(parse(await readFile(kubeconfigPath, 'utf8')));
  const { server, 'certificate-authority-data': authority } = clusters[0].cluster;
  const { 'client-certificate-data': certificate, 'client-key-data': key } = users[0].user;
  const tls = { ca: decode(authority), cert: decode(certificate), key: decode(key) };
  return (method, path, { body, accept = 'application/json', contentType = 'application/json' } = {}) =>
    new Promise((resolve, reject) => {
      const headers = { accept, 'content-type': contentType };
      const sent = request(new URL(path, server), { ...tls, method, headers, timeout: 30_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, body: text === '' ? null : JSON.parse(text) });
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('the API server does not answer')));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64');
}
