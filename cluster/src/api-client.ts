import { request } from 'node:https';
import type { KeyPair } from './certificates.ts';

/** How to reach an API server as somebody, without any client library: starting a cluster needs three requests. */
export interface ApiAccess {
  readonly port: number;
  readonly authority: string;
  readonly pair: KeyPair;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

const maxBodyBytes = 8 * 1024 * 1024;

/** One request over loopback; null while nobody answers. */
export async function askApi(
  access: ApiAccess,
  path: string,
  {
    method = 'GET',
    yaml,
    signal,
    timeoutMs = 5_000,
  }: { method?: 'GET' | 'POST'; yaml?: string; signal: AbortSignal; timeoutMs?: number },
): Promise<ApiAnswer | null> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        servername: 'localhost',
        port: access.port,
        path,
        method,
        agent: false,
        timeout: timeoutMs,
        signal,
        ca: access.authority,
        cert: access.pair.certificate,
        key: access.pair.key,
        headers: yaml === undefined ? {} : { 'content-type': 'application/yaml' },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > maxBodyBytes) response.destroy();
        });
        response.on('error', () => resolve(null));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', (error) => {
      if (signal.aborted) reject(error);
      else resolve(null);
    });
    sent.end(yaml);
  });
}
